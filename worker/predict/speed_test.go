//go:build unix

package predict_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
	"polyid-trainer/worker/predict"
)

// full publishes an ensemble of five networks of PolyID's size with fresh
// weights, 17 MB each.
func full(b *testing.B, h *hub.Client) {
	b.Helper()
	r := revisiontest.Full(b, 5, 1)
	if err := h.EnsureRepo(b.Context(), repo, false); err != nil {
		b.Fatal(err)
	}
	m := hub.Commit{Summary: "publish"}
	err := r.Write(func(path string, body []byte) error {
		m.Add = append(m.Add, hub.Bytes(path, body))
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := h.Commit(b.Context(), repo, "main", m); err != nil {
		b.Fatal(err)
	}
}

// embedded is a client of a Hub of its own.
func embedded(b *testing.B) *hub.Client {
	b.Helper()
	h, err := hubserver.New(hubserver.Config{Dir: b.TempDir(), Prefix: "/hub"})
	if err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	c, err := hub.New(hub.Config{Endpoint: s.URL + "/hub", CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkFull measures what a server does with a full-size ensemble: how long
// from its start to the first prediction with the models in the cache, and how
// many polymers a second after that, no two of them equal.
func BenchmarkFull(b *testing.B) {
	p := embedded(b)
	full(b, p)
	d, _ := data.Shipped("polymers_multiproperty")
	sheet := d.Sheet()
	var units []string // the table is sorted: every tenth line first, then the next of each
	const stride = 10
	for i := range stride {
		for k := i; k < len(sheet.Rows); k += stride {
			units = append(units, sheet.Rows[k].Cell(0))
		}
	}
	start := func() (*predict.Predictor, time.Duration) {
		began := time.Now()
		models := predict.NewModels(predict.ModelsConfig{Hub: p, NewEngine: cpu.New, Default: jobs.Revision{Repo: repo}, Log: slog.New(slog.DiscardHandler)})
		x := predict.New(predict.Config{Models: models, Log: slog.New(slog.DiscardHandler)})
		if _, err := x.Answer(b.Context(), &predict.Request{Inputs: []predict.Input{{RepeatUnit: lactide}}}); err != nil {
			b.Fatal(err)
		}
		return x, time.Since(began)
	}
	start() // downloads
	x, first := start()
	runtime.GC()
	n, errs, busy := 0, 0, cpuSeconds(b)
	for b.Loop() {
		if n%len(units) == 0 && n > 0 {
			x, _ = start() // or everything would be known
		}
		q := &predict.Request{}
		for range 20 {
			q.Inputs = append(q.Inputs, predict.Input{RepeatUnit: units[n%len(units)]})
			n++
			if n%len(units) == 0 {
				break
			}
		}
		r, err := x.Answer(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		errs += r.Counts.Failed
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "polymers/s")
	b.ReportMetric(float64(n)/(cpuSeconds(b)-busy), "polymers/cpu-s") // for a machine that is busy with other things
	b.ReportMetric(first.Seconds(), "s-to-first")
	b.ReportMetric(peak(), "MB-peak")
	b.ReportMetric(float64(errs)/float64(n), "errors/polymer")
}

// cpuSeconds is the processor time that the process has taken.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// peak is the most memory the process has had, in MB; 0 where that is not told.
func peak() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1000
		}
	}
	return 0
}
