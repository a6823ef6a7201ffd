//go:build gpu

package main

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/jobs"
)

// These run on two devices that the host emulates:
//
//	nn/cuda/build.sh --emulated go test -tags gpu ./worker -run GPU

// few is small, as short as emulated devices need it.
func few() jobs.Spec {
	s := small()
	s.Epochs = 3
	return s
}

// A job's folds train on two GPUs side by side, say so, and end where the CPU's
// do.
func TestGPUJob(t *testing.T) {
	c := newCluster(t)
	s := few()
	j := c.ask(s)
	w := c.worker("--device=cuda", "--concurrency=2")
	on := map[string]bool{}
	until(t, "both folds to tell their devices", func() bool {
		live, err := c.live.Progress(t.Context(), j.ID, s.KFolds)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range live {
			var b jobs.Heartbeat
			if len(raw) > 0 && json.Unmarshal(raw, &b) == nil && b.Path == "cuda" {
				on[b.Device] = true
			}
		}
		return len(on) == 2 || c.job(j.ID).State.Ended()
	})
	c.succeeded(j.ID)
	if !on["cuda:0, Emulated GPU"] || !on["cuda:1, Emulated GPU"] {
		t.Errorf("the folds told of %v", on)
	}
	if !strings.Contains(w.logged(), "2 × Emulated GPU") {
		t.Error("the worker does not name its hardware")
	}
	cpu := c.ask(s)
	w.signal(os.Interrupt)
	w.exit()
	c.worker("--device=cpu", "--concurrency=2")
	c.succeeded(cpu.ID)
	want := c.folds(cpu.ID)
	for i, f := range c.folds(j.ID) {
		got := f.Result
		if !slices.Equal(got.KernelPaths, []string{"cuda"}) {
			t.Errorf("fold %d was trained on %v", i, got.KernelPaths)
		}
		if d := got.BestValLoss/want[i].Result.BestValLoss - 1; !(math.Abs(d) < 0.01) {
			t.Errorf("fold %d: the best val_loss is %v, the CPU's %v", i, got.BestValLoss, want[i].Result.BestValLoss)
		}
	}
}

// A GPU that is lost ends its worker and the attempt, not the job: a worker
// without one goes on from the last checkpoint.
func TestGPUIsLost(t *testing.T) {
	c := newCluster(t)
	s := few()
	s.KFolds, s.Epochs = 2, 6
	j := c.ask(s)
	t.Setenv("EMULATED_CUDA_FAILS", "step 150 719")
	w := c.worker(append(quick(), "--device=cuda:0")...)
	if status := w.exit(); status == 0 || !strings.Contains(w.logged(), "cuda:0: run: device lost") {
		t.Errorf("the worker exits with %d", status)
	}
	if state := c.job(j.ID).State; state != jobs.Training {
		t.Fatalf("the job is %s", state)
	}
	c.worker(append(quick(), "--device=cpu")...)
	until(t, "the job to succeed", func() bool {
		if j := c.job(j.ID); j.State == jobs.Failed {
			t.Fatalf("the job has failed: %+v", j.Failure)
		}
		return c.job(j.ID).State == jobs.Succeeded
	})
	moved := false
	for i, f := range c.folds(j.ID) {
		if paths := f.Result.KernelPaths; len(paths) == 2 && paths[0] == "cuda" {
			moved = true
			if at := c.resumptions(j.ID, i); len(at) == 0 {
				t.Errorf("fold %d did not go on from a checkpoint", i)
			}
		}
	}
	if !moved {
		t.Error("no fold began on the GPU and ended on the CPU")
	}
}
