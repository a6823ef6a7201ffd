package jobs_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/nn/train"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares v's JSON with testdata/name.json.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	have, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	have = append(have, '\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != string(want) {
		t.Errorf("%s is\n%s, want\n%s", name, have, want)
	}
}

// viewed is a job of two targets and three folds with an id that stays.
func viewed(t *testing.T) *jobs.Job {
	t.Helper()
	j := newJob(t)
	j.ID = "tj_01jh2v0000000000000000000a"
	j.Spec.KFolds, j.Spec.Epochs = 3, 100
	j.Spec.Targets = []string{"Tg", "Tm"}
	j.Spec.Publish.Repo = "polyid/polyid-models"
	return j
}

func heartbeat(t *testing.T, b jobs.Heartbeat) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestViewQueued(t *testing.T) {
	golden(t, "view_queued", jobs.NewView(noon, viewed(t), nil, nil, 0.16))
}

// One fold runs, one waits with a checkpoint, one is done after stopping early.
func TestViewTraining(t *testing.T) {
	j := viewed(t)
	through(t,
		func() error { return j.Start(noon) },
		func() error {
			return j.Train(jobs.Prepared{Rows: 9}, []jobs.Warning{{Code: "features_ignore_tacticity", Detail: "Equal to the network."}})
		},
	)
	running := &jobs.Fold{Job: j.ID, Index: 0, Status: jobs.FoldQueued, Usage: spent(100, 3.6)}
	if err := running.Claim(noon, holder(), "host:1", 0); err != nil {
		t.Fatal(err)
	}
	lapsed := &jobs.Fold{Job: j.ID, Index: 1, Status: jobs.FoldRunning, Usage: spent(80, 3.6),
		Lease:       lease.Lease{Attempt: 2, Worker: "host:2"},
		Checkpoint:  &jobs.Checkpoint{Epoch: 30, Loss: 0.5, ValLoss: 0.7, BestValLoss: 0.6, BestEpoch: 28},
		ResumedFrom: 10}
	done := &jobs.Fold{Job: j.ID, Index: 2, Status: jobs.FoldSucceeded, Usage: spent(200, 3.6), Lease: lease.Lease{Attempt: 1, Worker: "host:3"},
		Checkpoint: &jobs.Checkpoint{Epoch: 60, Loss: 0.2, ValLoss: 0.4, BestValLoss: 0.3, BestEpoch: 50},
		Result:     &jobs.FoldResult{Epochs: 60, BestEpoch: 50, BestValLoss: 0.3, KernelPaths: []string{"avx512", "cuda"}}}
	live := []json.RawMessage{
		heartbeat(t, jobs.Heartbeat{Epoch: 40, Epochs: 100, Step: 3, Steps: 6, Loss: 0.25, ValLoss: 0.5, BestValLoss: 0.45, BestEpoch: 38,
			ETASeconds: 119, MSPerStep: 333, Seconds: 20, Worker: "host:1", Path: "cuda", Device: "cuda:0, NVIDIA A10G", Attempt: 1, Time: noon}),
		heartbeat(t, jobs.Heartbeat{Epoch: 35, Attempt: 2, ETASeconds: 1}), // of a worker that is gone
	}
	v := jobs.NewView(noon.Add(time.Second), j, []*jobs.Fold{running, lapsed, done}, live, 3.6)
	golden(t, "view_training", v)

	// The epochs that the waiting fold has left, at the running one's pace, one
	// after the other: 119 s of 59.5 epochs, 70 epochs wait.
	if eta := v.Progress.ETASeconds; eta == nil || *eta != 119+140 {
		t.Errorf("eta %v, want 259", eta)
	}
	if v.Cost.WorkerSeconds != 400 || v.Cost.USD != 0.4 {
		t.Errorf("cost %+v, want 400 s at 3.6 an hour", v.Cost)
	}
}

func TestViewSucceeded(t *testing.T) {
	j := viewed(t)
	j.Spec.Publish.Tag = "v1.0.0"
	j.State, j.StartedAt, j.FinishedAt = jobs.Succeeded, noon.Add(time.Second), noon.Add(time.Hour)
	j.Metrics = json.RawMessage(`{"out_of_fold":{"Tg":{"mae":9.1}},"holdout":null}`)
	j.Published = &jobs.Publication{Repo: "polyid/polyid-models", Branch: "main", Commit: "0123456789abcdef0123456789abcdef01234567", Tag: "v1.0.0",
		URL: "http://127.0.0.1:8080/hub/polyid/polyid-models/tree/v1.0.0", Time: noon}
	var folds []*jobs.Fold
	for i := range 3 {
		folds = append(folds, &jobs.Fold{Index: i, Status: jobs.FoldSucceeded, Usage: spent(3600, 0.1), Lease: lease.Lease{Attempt: 1, Worker: "host:1"},
			Checkpoint: &jobs.Checkpoint{Epoch: 100, Loss: 0.2, ValLoss: 0.4, BestValLoss: 0.3, BestEpoch: 50},
			Result:     &jobs.FoldResult{Epochs: 100, BestEpoch: 50, BestValLoss: 0.3}})
	}
	golden(t, "view_succeeded", jobs.NewView(noon, j, folds, nil, 0.1))
}

func TestViewFailed(t *testing.T) {
	j := viewed(t)
	through(t,
		func() error { return j.Start(noon) },
		func() error { return j.Train(jobs.Prepared{}, nil) },
		func() error {
			fold, epoch, row := 1, 4, 17
			return j.Fail(noon, jobs.Failure{Code: "diverged", Detail: "the loss is no number", Fold: &fold, Epoch: &epoch, Row: &row})
		},
	)
	folds := []*jobs.Fold{{Index: 0, Status: jobs.FoldRunning}, {Index: 1, Status: jobs.FoldFailed, Lease: lease.Lease{Attempt: 1, Worker: "host:1"}}}
	golden(t, "view_failed", jobs.NewView(noon, j, folds, nil, 0))
}

// What a fold told counts while its claim holds, and never behind a checkpoint.
func TestViewOldHeartbeats(t *testing.T) {
	j := viewed(t)
	j.State = jobs.Training
	for name, c := range map[string]struct {
		token      string
		attempt    int
		checkpoint int
		want       int
	}{
		"live":                  {"t", 3, 7, 9},
		"of an earlier attempt": {"t", 2, 7, 7},
		"lost":                  {"", 3, 7, 7},
		"behind":                {"t", 3, 11, 11},
	} {
		f := &jobs.Fold{Status: jobs.FoldRunning, Lease: lease.Lease{Attempt: 3, Token: c.token},
			Checkpoint: &jobs.Checkpoint{Epoch: c.checkpoint}}
		b := heartbeat(t, jobs.Heartbeat{Epoch: 9, Attempt: c.attempt, ValLoss: train.Measure(1)})
		if v := jobs.NewView(noon, j, []*jobs.Fold{f}, []json.RawMessage{b}, 0); v.Folds[0].Epoch != c.want {
			t.Errorf("%s: epoch %d, want %d", name, v.Folds[0].Epoch, c.want)
		}
	}
	if v := jobs.NewView(noon, j, []*jobs.Fold{{Status: jobs.FoldRunning}}, []json.RawMessage{json.RawMessage(`{`)}, 0); v.Folds[0].Epoch != 0 {
		t.Errorf("a broken heartbeat shows epoch %d", v.Folds[0].Epoch)
	}
}

// Given folds say how many there are.
func TestViewGivenFolds(t *testing.T) {
	j := viewed(t)
	j.Spec.Split.Folds = make(data.Folds, 7)
	if v := jobs.NewView(noon, j, nil, nil, 0); v.Progress.EpochsTotal != 700 {
		t.Errorf("%d epochs, want 700", v.Progress.EpochsTotal)
	}
}

// spent is the usage of one worker.
func spent(seconds, perHour float64) []jobs.Usage {
	return []jobs.Usage{{Month: "2026-01", Worker: "host:1", Seconds: seconds, USD: seconds / 3600 * perHour}}
}
