package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"polyid-trainer/jobs"
)

// watcher shows a training job's progress.
type watcher interface {
	show(*jobs.View)
	// close leaves the last progress standing; nothing is shown after.
	close()
}

// newWatcher shows bars on a terminal and lines elsewhere.
func newWatcher(w io.Writer) watcher {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		// One that does not know its size, as some that only record, shows no bars.
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return &barWatch{progress: mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(200*time.Millisecond)), width: min(max(width-noteWidth, 6), 40)}
		}
	}
	return &lineWatch{w: w}
}

// noteWidth is what stands beside a bar, in characters.
const noteWidth = 70

// barWatch is a line about the job and a bar for each fold.
type barWatch struct {
	progress *mpb.Progress
	width    int                       // of each bar
	view     atomic.Pointer[jobs.View] // for the goroutine that draws
	head     *mpb.Bar
	folds    []*mpb.Bar
}

func (b *barWatch) show(v *jobs.View) {
	b.view.Store(v)
	if b.head == nil {
		b.head = b.progress.New(1, mpb.NopStyle(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			return headline(b.view.Load())
		})))
	}
	for i := len(b.folds); i < len(v.Folds); i++ {
		b.folds = append(b.folds, b.progress.AddBar(int64(v.Folds[i].Epochs), mpb.BarWidth(b.width),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("  fold %d ", i)), decor.CountersNoUnit("%3d/%3d ")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + shortNote(&b.view.Load().Folds[i]) })),
		))
	}
	for i, f := range v.Folds {
		if f.Status == jobs.FoldSucceeded {
			b.folds[i].SetTotal(int64(f.Epoch), false) // it may have stopped early
		}
		b.folds[i].SetCurrent(int64(f.Epoch))
	}
}

func (b *barWatch) close() {
	for _, bar := range b.folds {
		bar.Abort(false)
	}
	if b.head != nil {
		b.head.Abort(false)
	}
	b.progress.Wait()
}

// lineWatch is a line whenever something has changed that is worth one.
type lineWatch struct {
	w      io.Writer
	head   string
	folds  map[int]string
	marked map[int]int // tenths of each fold's epochs that were told
}

func (l *lineWatch) show(v *jobs.View) {
	if head := stage(v); head != l.head {
		l.head = head
		fmt.Fprintln(l.w, head)
	}
	if l.folds == nil {
		l.folds, l.marked = map[int]string{}, map[int]int{}
	}
	for i := range v.Folds {
		f := &v.Folds[i]
		status := fmt.Sprintf("%s %d", f.Status, f.Attempt)
		tenth := f.Epoch * 10 / max(f.Epochs, 1)
		if status == l.folds[i] && tenth <= l.marked[i] || f.Status == jobs.FoldQueued && f.Attempt == 0 {
			continue
		}
		l.folds[i], l.marked[i] = status, tenth
		fmt.Fprintf(l.w, "  fold %d: epoch %d of %d, %s\n", i, f.Epoch, f.Epochs, foldNote(f))
	}
}

func (l *lineWatch) close() {}

// stage says where a job stands.
func stage(v *jobs.View) string {
	s := fmt.Sprintf("%s is %s", v.ID, v.Status)
	if v.StatusReason != nil {
		s += " (" + *v.StatusReason + ")"
	}
	return s
}

// headline is stage with how far the job is.
func headline(v *jobs.View) string {
	s := fmt.Sprintf("%s, %.0f %% of %d epochs", stage(v), 100*v.Progress.Fraction, v.Progress.EpochsTotal)
	if eta := v.Progress.ETASeconds; eta != nil && *eta > 0 {
		s += ", " + about(*eta) + " left"
	}
	if v.Cost.USD > 0 {
		s += fmt.Sprintf(", %.2f USD", v.Cost.USD)
	}
	return s
}

// foldNote is a fold's status in a few words.
func foldNote(f *jobs.FoldView) string {
	s := string(f.Status)
	if f.Attempt > 1 && f.Status == jobs.FoldRunning {
		s = fmt.Sprintf("resumed at %d", f.ResumedFrom)
	}
	if !math.IsNaN(float64(f.Loss)) {
		s += fmt.Sprintf(" · loss %.3f", float64(f.Loss))
	}
	if !math.IsNaN(float64(f.ValLoss)) {
		s += fmt.Sprintf(" · validation %.3f", float64(f.ValLoss))
	}
	if f.BestEpoch != nil && !math.IsNaN(float64(f.BestValLoss)) {
		s += fmt.Sprintf(" (best %.3f at %d)", float64(f.BestValLoss), *f.BestEpoch)
	}
	if f.ETASeconds != nil && *f.ETASeconds > 0 && f.Status == jobs.FoldRunning {
		s += " · " + about(*f.ETASeconds) + " left"
	}
	return s
}

// shortNote is foldNote where there is little room.
func shortNote(f *jobs.FoldView) string {
	if math.IsNaN(float64(f.ValLoss)) {
		return string(f.Status)
	}
	s := fmt.Sprintf("%.3f, valid. %.3f", float64(f.Loss), float64(f.ValLoss))
	if f.BestEpoch != nil {
		s += fmt.Sprintf(", best %.3f at %d", float64(f.BestValLoss), *f.BestEpoch)
	}
	switch {
	case f.Status != jobs.FoldRunning:
		s += ", " + string(f.Status)
	case f.ETASeconds != nil && *f.ETASeconds > 0:
		s += ", " + about(*f.ETASeconds) + " left"
	}
	return s
}

// about writes a number of seconds as people say it.
func about(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	default:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
}

// metricsTable writes a finished job's metrics, one line per target.
func metricsTable(w io.Writer, raw json.RawMessage) error {
	type scores map[string]struct {
		MAE      *float64 `json:"mae"`
		RMSE     *float64 `json:"rmse"`
		R2       *float64 `json:"r2"`
		Rows     int      `json:"n_rows"`
		Baseline *float64 `json:"baseline_mae"`
		Units    string   `json:"units"`
	}
	var m struct {
		OutOfFold scores `json:"out_of_fold"`
		Holdout   scores `json:"holdout"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	number := func(x *float64) string {
		if x == nil {
			return "–"
		}
		return fmt.Sprintf("%.3g", *x)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, part := range []struct {
		name   string
		scores scores
	}{{"out of fold", m.OutOfFold}, {"hold-out", m.Holdout}} {
		if len(part.scores) == 0 {
			continue
		}
		fmt.Fprintf(t, "%s\tMAE\tRMSE\tR²\trows\tMAE of the median\t\n", part.name)
		for _, name := range slices.SortedFunc(maps.Keys(part.scores), cmp.Compare) {
			s := part.scores[name]
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", name, number(s.MAE), number(s.RMSE), number(s.R2), s.Rows, number(s.Baseline), s.Units)
		}
	}
	return t.Flush()
}
