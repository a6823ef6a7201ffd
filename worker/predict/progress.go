package predict

import (
	"fmt"
	"log/slog"
	"time"
)

// logEvery is the time between two lines of a download's progress.
const logEvery = time.Second

// progress logs how far a download is, over all its files.
type progress struct {
	log    *slog.Logger
	total  int64  // bytes
	before int64  // of the files before this one
	path   string // this one
	size   int64
	last   time.Time
}

// hear is a hub.Progress.
func (p *progress) hear(path string, done, size int64) {
	if path != p.path {
		p.before += p.size
		p.path, p.size = path, size
	}
	now, all := time.Now(), p.before+done
	if now.Sub(p.last) < logEvery && all < p.total {
		return
	}
	p.last = now
	p.log.Info("downloading a model", "progress", share(all, p.total))
}

// share is "15/21 MB (71%)".
func share(done, total int64) string {
	const mb = 1e6
	percent := 100
	if total > 0 {
		percent = int(100 * done / total)
	}
	return fmt.Sprintf("%.0f/%.0f MB (%d%%)", float64(done)/mb, float64(total)/mb, percent)
}
