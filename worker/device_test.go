package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"polyid-trainer/nn"
	"polyid-trainer/nn/cuda"
)

// lossy is devices that are lost when told.
type lossy struct {
	done chan struct{}
	err  error
}

func (l *lossy) Done() <-chan struct{} { return l.done }
func (l *lossy) Err() error            { return l.err }

// A worker without devices ends, and says why, so that whatever started it can
// start it anew.
func TestLostDevicesEndTheWorker(t *testing.T) {
	t.Parallel()
	devices := &lossy{done: make(chan struct{})}
	err := runOn(t.Context(), devices, func(ctx context.Context) error {
		devices.err = cuda.ErrLost
		close(devices.done)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Minute):
			return errors.New("the worker goes on")
		}
	})
	if !errors.Is(err, cuda.ErrLost) {
		t.Errorf("the worker ended with %v", err)
	}
	ended := errors.New("ended")
	sound := &lossy{done: make(chan struct{})}
	if err := runOn(t.Context(), sound, func(ctx context.Context) error { return errors.Join(ended, ctx.Err()) }); !errors.Is(err, ended) || errors.Is(err, context.Canceled) {
		t.Errorf("a worker with sound devices ended with %v", err)
	}
}

// Where there is no such GPU, or no GPU code in the program, a worker trains on
// the CPU if it may.
func TestFallsBackToTheCPU(t *testing.T) {
	t.Parallel()
	refused := options{Device: "cuda:99"}
	if _, _, err := refused.devices(slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "cuda:99") {
		t.Errorf("cuda:99 alone: %v", err)
	}
	for device, want := range map[string]int{"cpu": 0, "cuda:99,cpu": 0} {
		o := options{Device: device}
		set, folds, err := o.devices(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("%s: %v", device, err)
		}
		e, err := set.NewEngine(nn.Config{AtomFeatures: 4, NumMessages: 1}.WithDefaults(), nn.Sizes{AtomClasses: 2, BondClasses: 2, Targets: 1}, 1)
		if err != nil {
			t.Fatalf("%s: %v", device, err)
		}
		if e.Path() == "cuda" || folds != want || set.String() != "" {
			t.Errorf("%s: path %s, %d folds on %q", device, e.Path(), folds, set)
		}
		if err := errors.Join(e.Close(), set.Close()); err != nil {
			t.Errorf("%s: %v", device, err)
		}
	}
}
