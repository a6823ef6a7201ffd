package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/probe"
)

const (
	tryWithin  = 10 * time.Second // bounds the look at the storage before anything is served
	readyAgain = 10 * time.Second // between two writes that show that storage is ready
)

// tryStorage refuses storage that does not do what is needed. One that is away is
// waited for later.
func (a *App) tryStorage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	err := probe.Start(ctx, a.bucket)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, probe.ErrUnfit), errors.Is(err, storage.ErrRefused):
		return fmt.Errorf("STORAGE_URL: %w: `api check-storage` says what else it lacks", err)
	}
	a.log.Warn("storage does not answer; the service starts and waits for it", "error", err)
	return nil
}

// storageReady makes a check that writes to the storage, at most every so often:
// anybody may ask.
func (a *App) storageReady() func(context.Context) error {
	var mu sync.Mutex
	var wrote time.Time
	return func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(wrote) < readyAgain {
			return nil
		}
		err := probe.Write(ctx, a.bucket)
		switch {
		case err == nil:
			wrote = time.Now()
		case errors.Is(err, storage.ErrRefused):
			return &jobs.Error{Code: jobs.Unavailable, Detail: "object storage refuses to be written to, and another try will not help", Err: err}
		}
		return err
	}
}
