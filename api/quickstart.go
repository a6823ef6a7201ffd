package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"polyid-trainer/api/app"
	"polyid-trainer/api/client"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
)

// QuickstartCmd shows everything once: training, publishing, predicting.
type QuickstartCmd struct {
	Host    string `setting:"HOST" placeholder:"ADDRESS" help:"Address to listen on (127.0.0.1)."`
	Port    string `setting:"PORT" placeholder:"N" help:"Port to listen on (8080); 0 takes a free one."`
	DataDir string `setting:"DATA_DIR" placeholder:"DIR" help:"Where everything keeps its data (./var)."`
	Exit    bool   `help:"Stop when everything was shown instead of serving."`

	config app.Config
}

// Validate reads the secrets and refuses a configuration that cannot be.
func (c *QuickstartCmd) Validate() error {
	c.config = app.Config{Host: c.Host, Port: c.Port, DataDir: c.DataDir}
	return configure(&c.config)
}

// quickJob is a training that takes a minute or two on two cores: PolyID's
// network and data, a fiftieth of its epochs.
const (
	quickEpochs = 10
	quickFolds  = 4
	quickRepo   = "polyid/quickstart" // where there is a model already that must not make way
	quickJob    = `{"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg", "Tm"], "kfolds": %d, "epochs": %d,
 "publish": {"repo": "%s"}, "metadata": {"made_by": "quickstart"}}`
)

// quickPolymers are polyesters that the shipped table has in other notations.
const quickPolymers = `polymer,smiles_repeat_unit
poly(lactic acid),*OC(C)C(=O)*
poly(3-hydroxybutyrate),*OC(C)CC(=O)*
polycaprolactone,*OCCCCCC(=O)*
`

// Run shows everything, and serves on until ctx ends unless told to exit.
func (c *QuickstartCmd) Run(ctx context.Context, std *streams) (err error) {
	dir := c.config.WithDefaults().DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("DATA_DIR: %w", err)
	}
	// Logs would tear the progress bars.
	logFile, err := os.OpenFile(filepath.Join(dir, "quickstart.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("DATA_DIR: %w", err)
	}
	defer logFile.Close()
	a, err := app.New(ctx, c.config, (&logFlags{LogFormat: "text"}).logger(logFile))
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "PolyID trainer at %s\n", a.URL())
	facts(std.out, a)
	fmt.Fprintf(std.out, "  logs       %s\n\n", logFile.Name())

	running, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- a.Run(running) }()
	shown := make(chan error, 1)
	go func() { shown <- c.tour(running, a.URL(), std) }()
	select {
	case err = <-shown:
		if err == nil && !c.Exit {
			fmt.Fprintln(std.out, "serving on; Ctrl-C stops")
			<-ctx.Done()
		}
		stop()
		err = errors.Join(err, <-served)
	case err = <-served: // it failed, or was told to stop
		stop()
		err = errors.Join(err, <-shown)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("stopped; what was trained so far is kept and goes on with go run ./api")
	}
	return err
}

// tour trains, publishes and predicts, as any user of the server at address
// could.
func (c *QuickstartCmd) tour(ctx context.Context, address string, std *streams) error {
	token := ""
	for _, t := range c.config.APITokens {
		if token == "" && t.Role == access.Admin {
			token = t.Secret
		}
	}
	api, err := client.New(address, token)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "This is a demonstration: PolyID's network, learning Tg and Tm from the shipped table, but for %d epochs of %d folds\n"+
		"where the default job has 500 of 5. Its errors say so: such a model is for looking at, not for use.\n\n", quickEpochs, quickFolds)
	repo := c.config.WithDefaults().HubRepo
	if there, err := api.Models(ctx); err != nil {
		return err
	} else if len(there) > 0 {
		repo = quickRepo
	}
	job, err := api.Submit(ctx, fmt.Appendf(nil, quickJob, quickFolds, quickEpochs, repo))
	if err != nil {
		return err
	}
	began := time.Now()
	if job, err = follow(ctx, api, job.ID, std.err); err != nil {
		return err
	}
	if job.Status != jobs.Succeeded || job.Published == nil {
		return outcome(job, std)
	}
	fmt.Fprintf(std.out, "\nTrained and published in %s. What the folds made of rows they had not seen:\n", about(time.Since(began).Seconds()))
	if err := metricsTable(std.out, job.Metrics); err != nil {
		return err
	}
	var answer bytes.Buffer
	model := client.Model{Repo: job.Published.Repo, Revision: job.Published.Commit}
	p, err := api.PredictCSV(ctx, []byte(quickPolymers), model, &answer, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "\nThree polymers, predicted with %s at %.10s as loaded from the Hub:\n", p.Model.Repo, p.Model.Commit)
	if err := predictionTable(std.out, &answer, []string{"Tg", "Tm"}); err != nil {
		return err
	}
	fmt.Fprintf(std.out, `
  the model        %s
  the job          %s/jobs/%s
  the interface    %s/docs
  the queues       %s/queues

Train for real:    echo '{"dataset":"stereopolymer_input_nopush"}' | go run ./api train --server %[2]s --watch -
`, job.Published.URL, address, job.ID, address, address)
	return nil
}

// predictionTable shows a CSV of predictions to people.
func predictionTable(w io.Writer, r io.Reader, targets []string) error {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil || len(rows) == 0 {
		return fmt.Errorf("read the predictions: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "polymer")
	for _, target := range targets {
		fmt.Fprintf(t, "\t%s\t90 %% interval", target)
	}
	fmt.Fprintln(t)
	for _, row := range rows[1:] {
		column := func(name string) string {
			if i := slices.Index(rows[0], name); i >= 0 {
				return row[i]
			}
			return ""
		}
		if e := column("error"); e != "" {
			return fmt.Errorf("predict %s: %s", row[0], e)
		}
		fmt.Fprint(t, row[0])
		for _, target := range targets {
			fmt.Fprintf(t, "\t%s ± %s °C\t%s to %s", whole(column(target+"_pred_mean")), whole(column(target+"_pred_std")),
				whole(column(target+"_pred_lo90")), whole(column(target+"_pred_hi90")))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// whole rounds a number in a CSV for reading.
func whole(field string) string {
	x, err := strconv.ParseFloat(field, 64)
	if err != nil {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}
