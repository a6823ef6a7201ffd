package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/jobs"
)

// firstComplete is the first commit that trained, published and predicted
// completely. Its programs work beside those of today, as COMPATIBILITY.md says.
const firstComplete = "0ef24ac"

// programsOf builds api and worker of a commit of this repository.
func programsOf(t *testing.T, commit string) (api, worker string) {
	t.Helper()
	if out, err := exec.Command("git", "cat-file", "-e", commit+"^{commit}").CombinedOutput(); err != nil {
		t.Skipf("%s is not in this clone's history: fetch all of it (git fetch --unshallow): %s", commit, out)
	}
	dir := t.TempDir()
	archive := exec.Command("sh", "-c", `git -C "$(git rev-parse --show-toplevel)" archive "$0" | tar -x -C "$1"`, commit, dir)
	if out, err := archive.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "bin")+string(os.PathSeparator), "./api", "./worker")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "bin", "api"), filepath.Join(dir, "bin", "worker")
}

// TestLongUpgrade upgrades a fleet while a job trains, api and worker one after
// the other, in both orders, and back again: the job goes on from its checkpoints
// and is published by whichever is there.
func TestLongUpgrade(t *testing.T) {
	long(t)
	end2end(t)
	oldAPI, oldWorker := programsOf(t, firstComplete)
	redis := redisProgram(t)
	newWorker, err := workerProgram()
	if err != nil {
		t.Fatal(err)
	}
	for name, first := range map[string]struct{ api, worker bool }{ // which of them is upgraded first
		"api first": {api: true}, "worker first": {worker: true},
	} {
		t.Run(name, func(t *testing.T) {
			storage, env := startS3(t)
			address := freeAddress(t)
			startRedis(t, redis, address)
			env = append(env, "REDIS_URL=redis://"+address, "STORAGE_URL="+storage, "WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
			upgraded := false
			s := newServiceBy(t, func(program string) (string, []string) {
				if upgraded {
					return program, []string{"serve"}
				}
				return oldAPI, []string{"serve"}
			}, env...)
			work := func(program string) *process {
				return start(t, program, append([]string{"CONCURRENCY=2", "CHECKPOINT_SECONDS=0.2"}, env...), "--lease=4s", "--reconcile=500ms")
			}
			worker := work(oldWorker)
			v := s.submit(small(300, ""))
			trains := func(what string) {
				t.Helper()
				after := s.job(v.ID).Progress.EpochsDone
				s.reaches(v.ID, what, func(v *jobs.View) bool { return v.Progress.EpochsDone > after || v.Status == "succeeded" })
			}
			trains("the old fleet to train")
			upgrade := func(api bool) {
				if api {
					s.stop()
					upgraded = true
					s.start(t)
					return
				}
				worker.stop()
				worker = work(newWorker)
			}
			upgrade(first.api)
			trains("the half-upgraded fleet to train")
			upgrade(!first.api)
			v = s.succeeds(v.ID)
			if v.Published == nil {
				t.Fatal("the job is not published")
			}
			if out, _ := command(t, 0, "smiles_repeat_unit\n*OC(C)C(=O)*\n", "predict", "--server", s.url, "-"); !strings.Contains(out, "Tg_pred_mean") {
				t.Errorf("predicted %q", out)
			}
			// And back: what this version wrote, the one before reads.
			s.stop()
			upgraded = false
			worker.stop()
			s.start(t)
			work(oldWorker)
			if got := s.job(v.ID).Status; got != "succeeded" {
				t.Errorf("after the roll-back the job is %s", got)
			}
			again := s.submit(small(3, ""))
			s.succeeds(again.ID)
		})
	}
}
