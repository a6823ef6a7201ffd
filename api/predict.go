package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"polyid-trainer/api/client"
)

// PredictCmd predicts the polymers of a CSV file.
type PredictCmd struct {
	serverFlags
	Repo     string `placeholder:"OWNER/NAME" help:"Repository of the model (the server's HUB_REPO)."`
	Revision string `placeholder:"R" help:"Branch, tag or commit of the model (main)."`
	In       string `arg:"" name:"in.csv" help:"Polymers, one a row, - for standard input: smiles_polymer, smiles_repeat_unit, or monomers and mechanism."`
}

// Run writes the table with predicted columns on standard output.
func (c *PredictCmd) Run(ctx context.Context, std *streams) error {
	table, err := readInput(c.In, std.in)
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	shown := ""
	p, err := api.PredictCSV(ctx, table, client.Model{Repo: c.Repo, Revision: c.Revision}, std.out, func(p *client.Prediction) {
		if s := fmt.Sprintf("%s is %s", p.ID, p.Status); s != shown {
			shown = s
			fmt.Fprintln(std.err, s)
		}
	})
	if err != nil {
		return unreachable(c.Server, err)
	}
	fmt.Fprintf(std.err, "%d of %d polymers predicted with %s at %.10s\n", p.Counts.OK, p.Counts.Total, p.Model.Repo, p.Model.Commit)
	if p.Counts.Failed > 0 {
		fmt.Fprintf(std.err, "%d could not be: see the column error\n", p.Counts.Failed)
	}
	return nil
}

// unreachable says what to do about a server that does not answer.
func unreachable(server string, err error) error {
	var away *url.Error
	if errors.As(err, &away) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s does not answer: start it with go run ./api, or name another with --server (%w)", server, away.Err)
	}
	return err
}
