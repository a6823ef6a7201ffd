//go:build linux

package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"polyid-trainer/jobs"
)

// room lets files of a process have at most n bytes, as a disk does that fills up.
func (p *process) room(n uint64) {
	p.t.Helper()
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}, nil); err != nil {
		p.t.Skipf("the size of a process' files cannot be limited: %v", err)
	}
}

// TestFullDisk fills the disk while a job trains. Whoever asks is told that storage
// is full; nothing dies; and once there is room the job ends with the bits of an
// undisturbed one.
func TestFullDisk(t *testing.T) {
	s := newService(t)
	const epochs = 40
	job := s.submit(small(epochs, ""))
	s.trains(job.ID)
	s.room(1000)
	table, err := os.ReadFile("../data/stereopolymer_input_nopush.csv")
	if err != nil {
		t.Fatal(err)
	}
	const upload = "/v1/datasets?name=mine&on_defect=drop"
	for range 3 {
		res, err := http.Post(s.url+upload, "text/csv", bytes.NewReader(table))
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		said.ReadFrom(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusInsufficientStorage || !strings.Contains(said.String(), "storage is full") {
			t.Errorf("while the disk is full an upload answers %d %s", res.StatusCode, &said)
		}
	}
	if status := s.call("GET", "/v1/training-jobs", "", nil); status != 200 {
		t.Errorf("while the disk is full the list of jobs answers %d", status)
	}
	until(t, "the training to meet the full disk", func() bool {
		return strings.Contains(s.errs.String(), "storage is full") && (s.job(job.ID).Status.Ended() || strings.Contains(s.errs.String(), job.ID))
	})
	s.room(unix.RLIM_INFINITY)

	res, err := http.Post(s.url+upload, "text/csv", bytes.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Errorf("with room again an upload answers %d", res.StatusCode)
	}
	var v *jobs.View
	until(t, "the job to end", func() bool { v = s.job(job.ID); return v.Status.Ended() })
	if v.Status == jobs.Failed {
		if v.Error == nil || !strings.Contains(v.Error.Detail, "full") {
			t.Errorf("the job failed without saying that storage is full: %+v", v.Error)
		}
		if status := s.move(job.ID, "resume"); status >= 300 {
			t.Fatalf("resuming it: %d", status)
		}
	}
	v = s.succeeds(job.ID)
	calm := s.succeeds(s.submit(small(epochs, "")).ID)
	for i := range v.Folds {
		if !bytes.Equal(s.model(v, i), s.model(calm, i)) {
			t.Errorf("fold %d has not the bits of an undisturbed training", i)
		}
	}
}
