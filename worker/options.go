package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/nn/cuda"
	"polyid-trainer/storage/backend"
	"polyid-trainer/worker/memory"
	"polyid-trainer/worker/runner"
)

// options are the flags; each can be set by an environment variable too, by
// which secrets in a URL stay out of process lists.
type options struct {
	RedisURL          string        `name:"redis-url" env:"REDIS_URL" placeholder:"URL" help:"Redis of the queue: redis://, rediss://, redis-sentinel:// or redis-cluster://. Required. Put a URL that holds a password into the environment."`
	StorageURL        string        `name:"storage-url" env:"STORAGE_URL" placeholder:"URL" help:"Object storage of the jobs: s3://bucket/prefix with the usual AWS_* variables, or file:///dir on one machine. Required."`
	Device            string        `name:"device" env:"DEVICE" default:"cpu" help:"What to train on (${default}): cpu, cuda (all GPUs), cuda:0,cuda:1; with ,cpu behind them, the CPU if they cannot be used."`
	CheckpointSeconds float64       `name:"checkpoint-seconds" env:"CHECKPOINT_SECONDS" default:"60" placeholder:"N" help:"The longest time a fold trains between checkpoints (${default})."`
	Concurrency       int           `name:"concurrency" env:"CONCURRENCY" placeholder:"N" help:"Folds to train at once (as many as cores; one on each GPU, which holds several)."`
	ExitWhenIdle      time.Duration `name:"exit-when-idle" env:"EXIT_WHEN_IDLE" placeholder:"10m" help:"Exit after so long with nothing to do (never)."`
	CostPerHour       float64       `name:"cost-per-hour" env:"COST_PER_HOUR" placeholder:"USD" help:"What an hour of this process costs, for the jobs' accounts (0)."`
	MemoryLimit       string        `name:"memory-limit" env:"MEMORY_LIMIT" placeholder:"SIZE" help:"Memory that this process may use, such as 8GB: it takes only folds that fit (0.8 of the least of the machine's memory and the limits set on the process)."`
	LogFormat         string        `name:"log-format" env:"LOG_FORMAT" enum:"text,json" default:"text" help:"How to log: text or json (${default})."`

	// For tests of what happens when a worker dies, which cannot wait for long.
	Lease     time.Duration `name:"lease" hidden:""`
	Reconcile time.Duration `name:"reconcile" hidden:""`
}

// check reports everything that is wrong with the options.
func (o *options) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.RedisURL == "" {
		wrong("REDIS_URL is required: a worker joins the Redis that api uses (api without one trains by itself)")
	}
	if o.StorageURL == "" {
		wrong("STORAGE_URL is required: the storage that api uses")
	}
	if s, err := cuda.ParseSelection(o.Device); err != nil {
		wrong("DEVICE: %w", err)
	} else if s.GPU() && !s.CPU && !cuda.Built {
		wrong("DEVICE: this build trains on cpu alone, not on %q; one made with `go build -tags gpu ./worker` knows cuda:0", o.Device)
	}
	if !(o.CheckpointSeconds > 0) {
		wrong("CHECKPOINT_SECONDS: %v is not above 0", o.CheckpointSeconds)
	}
	if o.Concurrency < 0 {
		wrong("CONCURRENCY: %d is below 0", o.Concurrency)
	}
	if o.ExitWhenIdle < 0 {
		wrong("EXIT_WHEN_IDLE: %v is below 0", o.ExitWhenIdle)
	}
	if !(o.CostPerHour >= 0) {
		wrong("COST_PER_HOUR: %v is below 0", o.CostPerHour)
	}
	if _, err := memory.Parse(o.MemoryLimit); err != nil {
		wrong("MEMORY_LIMIT: %w", err)
	}
	return errors.Join(errs...)
}

// work runs the worker until ctx ends.
func (o *options) work(ctx context.Context, stderr io.Writer) error {
	var handler slog.Handler = slog.NewTextHandler(stderr, nil)
	if o.LogFormat == "json" {
		handler = slog.NewJSONHandler(stderr, nil)
	}
	log := slog.New(handler)
	redisjobs.LogClient(log)
	client, err := redisjobs.Connect(o.RedisURL)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach Redis: %w", err)
	}
	bucket, err := backend.Open(ctx, o.StorageURL)
	if err != nil {
		return err
	}
	set, folds, err := o.devices(log)
	if err != nil {
		return err
	}
	defer set.Close()
	limit, err := memory.Parse(o.MemoryLimit)
	if err != nil {
		return fmt.Errorf("MEMORY_LIMIT: %w", err)
	}
	r := &runner.Runner{
		MemoryLimit: limit,
		Redis:       client, Bucket: bucket, NewEngine: set.NewEngine, GPUs: set.String(), Log: log,
		Concurrency: folds, Every: time.Duration(o.CheckpointSeconds * float64(time.Second)), CostPerHour: o.CostPerHour,
		ExitWhenIdle: o.ExitWhenIdle, Lease: lease.Terms{Length: o.Lease}, Reconcile: o.Reconcile,
	}
	return runOn(ctx, set, r.Run)
}
