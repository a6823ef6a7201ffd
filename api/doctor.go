package main

import (
	"context"
	"errors"
	"fmt"

	"polyid-trainer/api/app"
	"polyid-trainer/api/doctor"
)

// DoctorCmd looks for damage in what a service has stored.
type DoctorCmd struct {
	DataDir    string `setting:"DATA_DIR" default:"var" placeholder:"DIR" help:"The service's data (./var)."`
	StorageURL string `setting:"STORAGE_URL" placeholder:"URL" help:"Its object storage, if that is not in DATA_DIR: file:///dir or s3://bucket/prefix."`
	Repair     bool   `help:"Repair what can be repaired, and set the rest aside. The service must not be running."`
}

// Run prints a line per damage, and fails while any remains.
func (c *DoctorCmd) Run(ctx context.Context, std *streams) (err error) {
	if c.Repair {
		unlock, lockErr := app.LockDir(c.DataDir)
		if lockErr != nil {
			return lockErr
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	b, err := app.OpenStorage(ctx, app.Config{DataDir: c.DataDir, StorageURL: c.StorageURL})
	if err != nil {
		return err
	}
	found := 0
	left, err := doctor.Check(ctx, doctor.Place{Bucket: b, Dir: c.DataDir}, c.Repair, func(f doctor.Finding) {
		found++
		fmt.Fprintf(std.out, "%s: %s\n", f.Key, f.Problem)
		if f.Repaired != "" {
			fmt.Fprintf(std.out, "  repaired: %s\n", f.Repaired)
		}
	})
	switch {
	case err != nil:
		return err
	case left > 0 && !c.Repair:
		return fmt.Errorf("%d things are damaged: stop the service and run `api doctor --repair`", left)
	case left > 0:
		return fmt.Errorf("%d things are damaged and cannot be repaired", left)
	}
	fmt.Fprintf(std.out, "Everything that is stored can be read; %d things were repaired.\n", found)
	return nil
}
