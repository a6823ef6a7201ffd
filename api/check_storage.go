package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"polyid-trainer/api/app"
	"polyid-trainer/storage/probe"
)

// checkWithin bounds check-storage.
const checkWithin = 30 * time.Second

// CheckStorageCmd says whether a store will do.
type CheckStorageCmd struct {
	DataDir    string `setting:"DATA_DIR" default:"var" placeholder:"DIR" help:"The service's data (./var)."`
	StorageURL string `setting:"STORAGE_URL" placeholder:"URL" help:"The storage to check: file:///dir or s3://bucket/prefix with the usual AWS_* variables (the directory objects in DATA_DIR)."`
}

// Run makes the checks and prints a table of them.
func (c *CheckStorageCmd) Run(ctx context.Context, std *streams) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	b, err := app.OpenStorage(ctx, app.Config{DataDir: c.DataDir, StorageURL: c.StorageURL})
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fit := probe.Run(ctx, b, func(r probe.Result) {
		result := "ok"
		if r.Err != nil {
			result = "FAILED: " + r.Err.Error()
		}
		fmt.Fprintf(table, "%s\t%d ms\t%s\n", r.Name, r.Took.Milliseconds(), result)
	})
	if err := table.Flush(); err != nil {
		return err
	}
	if !fit {
		return errors.New("this storage will not do: see the lines that say FAILED")
	}
	fmt.Fprintln(std.out, "This storage will do.")
	return nil
}
