package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"polyid-trainer/api/app"
	"polyid-trainer/api/backup"
	"polyid-trainer/storage/atomicfile"
)

// dataFlags say where a service's data is.
type dataFlags struct {
	DataDir    string `setting:"DATA_DIR" default:"var" placeholder:"DIR" help:"The service's data (./var); the service must not be running on it."`
	StorageURL string `setting:"STORAGE_URL" placeholder:"URL" help:"Its object storage, if that is not in DATA_DIR: file:///dir or s3://bucket/prefix."`
}

// open locks the data directory and opens the storage.
func (f *dataFlags) open(ctx context.Context) (p backup.Place, unlock func() error, err error) {
	unlock, err = app.LockDir(f.DataDir)
	if err != nil {
		return p, nil, err
	}
	b, err := app.OpenStorage(ctx, app.Config{DataDir: f.DataDir, StorageURL: f.StorageURL})
	if err != nil {
		return p, nil, errors.Join(err, unlock())
	}
	return backup.Place{Bucket: b, Dir: f.DataDir}, unlock, nil
}

// BackupCmd writes an archive of a service.
type BackupCmd struct {
	dataFlags
	File string `arg:"" help:"The archive to write, such as polyid.tar.gz. It must not exist."`
}

// Run writes the archive, which appears under its name when it is complete.
func (c *BackupCmd) Run(ctx context.Context, std *streams) (err error) {
	if _, err := os.Lstat(c.File); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already", c.File)
	}
	if _, err := os.Stat(c.DataDir); errors.Is(err, fs.ErrNotExist) && c.StorageURL == "" {
		return fmt.Errorf("there is no %s: set DATA_DIR to the service's", c.DataDir)
	}
	p, unlock, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	var m *backup.Manifest
	err = atomicfile.Replace(c.File, 0o600, func(w io.Writer) (err error) {
		m, err = backup.Write(ctx, w, p, time.Now(), nil)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "%s holds %d files of %.1f MB; keep it as private as the service\n", filepath.Base(c.File), len(m.Files), float64(m.Bytes())/1e6)
	return nil
}

// RestoreCmd puts an archive in place.
type RestoreCmd struct {
	dataFlags
	File string `arg:"" help:"The archive that backup wrote."`
}

// Run restores the archive where nothing is yet.
func (c *RestoreCmd) Run(ctx context.Context, std *streams) (err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	p, unlock, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	m, err := backup.Restore(ctx, f, p, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "restored %d files of %.1f MB; jobs that were under way go on when the service starts\n", len(m.Files), float64(m.Bytes())/1e6)
	return nil
}
