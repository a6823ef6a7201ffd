package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"polyid-trainer/api/client"
	"polyid-trainer/jobs"
)

// serverFlags say which server a command talks to.
type serverFlags struct {
	Server string `default:"http://127.0.0.1:8080" placeholder:"URL" help:"The API to talk to (${default}). If it has API_TOKENS, put one of them into the environment variable API_TOKEN."`
}

// Validate refuses what is no address.
func (f *serverFlags) Validate() error {
	_, err := f.client()
	return err
}

func (f *serverFlags) client() (*client.Client, error) {
	c, err := client.New(f.Server, os.Getenv("API_TOKEN"))
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	return c, nil
}

// TrainCmd submits a training job.
type TrainCmd struct {
	serverFlags
	Watch    bool       `help:"Follow the job to its end, with a progress bar per fold on stderr; then write its metrics on stdout."`
	OnDefect string     `enum:"refuse,drop,keep" default:"refuse" help:"What to do with rows that have defects: ${enum}. Dropped rows are reported."`
	Chains   chainsFlag `placeholder:"JSON" help:"How repeat units and monomers grow, in place of the job's own chains: {\"dp\":3}, {\"periodic\":true}."`
	Recipe   string     `placeholder:"NAME" help:"What the job takes where it says nothing: polyid, PolyID's published training, or accurate, a smaller network on rings blended with trees, neighbours and others. GET /v1/recipes lists every setting."`
	Job      string     `arg:"" name:"job.json" help:"The job as JSON, - for standard input. Only dataset is required: {\"dataset\":\"stereopolymer_input_nopush\"}. Or a table (.csv, .csv.gz, .xlsx), which is uploaded and trained with the defaults."`
}

// Run writes the job's id, or with --watch its metrics, on standard output.
func (c *TrainCmd) Run(ctx context.Context, std *streams) error {
	spec, err := readInput(c.Job, std.in)
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	if isTable(c.Job) {
		if spec, err = c.upload(ctx, api, spec, std); err != nil {
			return unreachable(c.Server, err)
		}
	}
	if spec, err = c.Chains.into(spec); err != nil {
		return err
	}
	if c.Recipe != "" {
		if spec, err = withField(spec, "--recipe", "recipe", c.Recipe); err != nil {
			return err
		}
	}
	job, err := api.Submit(ctx, spec)
	if err != nil {
		return unreachable(c.Server, err)
	}
	for _, w := range job.Warnings {
		fmt.Fprintf(std.err, "note: %s\n", w.Detail)
	}
	if !c.Watch {
		fmt.Fprintln(std.out, job.ID)
		fmt.Fprintf(std.err, "accepted; follow it at %s/v1/training-jobs/%s\n", c.Server, job.ID)
		return nil
	}
	job, err = follow(ctx, api, job.ID, std.err)
	if err != nil {
		return err
	}
	return outcome(job, std)
}

// isTable says by its name that a file is a table and no job.
func isTable(name string) bool {
	for _, ending := range []string{".csv", ".csv.gz", ".tsv", ".xlsx"} {
		if strings.HasSuffix(strings.ToLower(name), ending) {
			return true
		}
	}
	return false
}

// upload sends a table, tells what was understood, and makes a job of it.
func (c *TrainCmd) upload(ctx context.Context, api *client.Client, table []byte, std *streams) ([]byte, error) {
	name, _, _ := strings.Cut(filepath.Base(c.Job), ".")
	d, err := api.Upload(ctx, table, name, c.OnDefect)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(std.err, "%s: %d rows, as %s\n", d.Name, d.Rows, d.ID)
	for _, t := range d.Targets {
		fmt.Fprintf(std.err, "  %s: %d values %s\n", t.Name, t.Count, t.Units)
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(std.err, "note: %s\n", w.Detail)
	}
	return json.Marshal(map[string]string{"dataset": d.ID})
}

// follow shows a job's progress until it has ended.
func follow(ctx context.Context, api *client.Client, id string, w io.Writer) (*jobs.View, error) {
	watch := newWatcher(w)
	var last *jobs.View
	err := api.Follow(ctx, id, func(v *jobs.View) bool {
		last = v
		watch.show(v)
		return !v.Status.Ended()
	}, nil)
	watch.close()
	if errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("no longer watching; %s goes on: see %s/v1/training-jobs/%s", id, api.Server, id)
	}
	return last, err
}

// outcome tells how a job ended: metrics on standard output, or an error.
func outcome(job *jobs.View, std *streams) error {
	switch {
	case job.Status == jobs.Failed && job.Error != nil:
		return fmt.Errorf("%s failed: %s", job.ID, job.Error.Detail)
	case job.Status != jobs.Succeeded:
		return fmt.Errorf("%s", stage(job))
	}
	if p := job.Published; p != nil {
		fmt.Fprintf(std.err, "published as %s at %.10s: %s\n", p.Repo, p.Commit, p.URL)
	}
	return metricsTable(std.out, job.Metrics)
}

// readInput reads a file, or standard input for "-".
func readInput(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		b, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return b, nil
	}
	return os.ReadFile(name)
}
