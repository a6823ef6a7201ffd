package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"polyid-trainer/api/client"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/screenings"
)

// ScreenCmd predicts a whole library on the workers.
type ScreenCmd struct {
	serverFlags
	Where    string `placeholder:"E" help:"Keep the rows of which this holds, such as \"Tg > 150 && in_domain\"."`
	OrderBy  string `placeholder:"E" help:"Order by this expression, least first: -Tg is the highest first."`
	Limit    int    `placeholder:"N" help:"Keep so many rows."`
	Format   string `enum:"csv,csv.gz,ndjson,parquet" default:"csv" help:"Of the results: ${enum}."`
	Repo     string `placeholder:"OWNER/NAME" help:"Repository of the model (the server's HUB_REPO)."`
	Revision string `placeholder:"R" help:"Branch, tag or commit of the model (main)."`
	Library  string `arg:"" name:"library" help:"A table of polymers of any length (.csv, .csv.gz), which is uploaded, - for standard input; or the id or name of a dataset."`
}

// Run writes the results on standard output.
func (c *ScreenCmd) Run(ctx context.Context, std *streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	id, err := c.dataset(ctx, api, std)
	if err != nil {
		return unreachable(c.Server, err)
	}
	spec, err := json.Marshal(map[string]any{
		"input": map[string]string{"dataset": id}, "model": map[string]string{"repo": c.Repo, "revision": c.Revision},
		"where": c.Where, "order_by": c.OrderBy, "limit": c.Limit, "format": c.Format,
	})
	if err != nil {
		return err
	}
	v, err := api.Screen(ctx, spec)
	if err != nil {
		return unreachable(c.Server, err)
	}
	fmt.Fprintf(std.err, "%s: %d rows with %s at %.10s\n", v.ID, v.Counts.Total, v.Model.Repo, v.Model.Commit)
	shown := int64(-1)
	v, err = api.FollowScreening(ctx, v.ID, func(v *screenings.View) {
		if v.Counts.Done != shown {
			shown = v.Counts.Done
			fmt.Fprintln(std.err, screeningProgress(v))
		}
	})
	if err != nil {
		return unreachable(c.Server, err)
	}
	if v.Status != screenings.Succeeded {
		detail := ""
		if v.Error != nil {
			detail = ": " + v.Error.Detail
		}
		return fmt.Errorf("the screening %s is %s%s", v.ID, v.Status, detail)
	}
	fmt.Fprintf(std.err, "%d rows kept, %d could not be predicted\n", v.Results.Rows, v.Counts.Failed)
	return api.ScreeningResults(ctx, v.ID, std.out)
}

// screeningProgress says in a line how far a screening is.
func screeningProgress(v *screenings.View) string {
	line := fmt.Sprintf("%d of %d rows, %d kept", v.Counts.Done, v.Counts.Total, v.Counts.Kept)
	if v.Rate > 0 {
		line += fmt.Sprintf(", %.0f a second", v.Rate)
	}
	if v.ETASeconds != nil {
		line += fmt.Sprintf(", %s left", (time.Duration(*v.ETASeconds) * time.Second).Round(time.Second))
	}
	return line
}

// dataset is the id of the library, which is uploaded if it is a file.
func (c *ScreenCmd) dataset(ctx context.Context, api *client.Client, std *streams) (string, error) {
	in, name := std.in, "library"
	if c.Library != "-" {
		f, err := os.Open(c.Library)
		if os.IsNotExist(err) && (jobs.ValidID(jobs.DatasetPrefix, c.Library) || !strings.ContainsAny(c.Library, "./\\")) {
			return c.Library, nil
		}
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = io.Reader(f)
		name, _, _ = strings.Cut(filepath.Base(c.Library), ".")
	}
	d, err := api.UploadLibrary(ctx, in, name, func(sent int64) { fmt.Fprintf(std.err, "%d MB uploaded\n", sent>>20) })
	if err != nil {
		return "", err
	}
	fmt.Fprintf(std.err, "%s: %d rows, as %s\n", d.Name, d.Rows, d.ID)
	return d.ID, nil
}
