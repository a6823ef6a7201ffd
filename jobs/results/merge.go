package results

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
)

// InOrder yields the rows of parts, one part after the other.
func InOrder(ctx context.Context, b storage.Bucket, keys iter.Seq[string]) iter.Seq2[screenings.Row, error] {
	return func(yield func(screenings.Row, error) bool) {
		for key := range keys {
			p, err := openPart(ctx, b, key)
			if err != nil {
				yield(screenings.Row{}, fmt.Errorf("read %s: %w", key, err))
				return
			}
			if !p.rows(yield) {
				return
			}
		}
	}
}

// rows yields the rows and closes the part.
func (p *part) rows(yield func(screenings.Row, error) bool) bool {
	defer p.close()
	for {
		r, err := p.next()
		if errors.Is(err, io.EOF) {
			return true
		}
		if !yield(r, err) || err != nil {
			return false
		}
	}
}

// FanIn is how many parts are merged at once, and so open.
const FanIn = 64

// Sorted yields the rows of parts, each of which is sorted, sorted; rows with equal
// keys in the order of their parts. Of more parts than FanIn it merges some into
// larger ones under scratch first, so that the cost is O(rows · log(parts) /
// log(FanIn)) and memory that of FanIn rows. At most limit rows are looked at; 0 is
// all.
func Sorted(ctx context.Context, b storage.Bucket, keys []string, scratch string, limit int) iter.Seq2[screenings.Row, error] {
	return func(yield func(screenings.Row, error) bool) {
		runs := make([][]string, len(keys))
		for i, k := range keys {
			runs[i] = []string{k}
		}
		for level := 0; len(runs) > FanIn; level++ {
			var next [][]string
			for i := 0; i < len(runs); i += FanIn {
				run, err := mergeRun(ctx, b, runs[i:min(i+FanIn, len(runs))], fmt.Sprintf("%s%02d/%06d/", scratch, level, i/FanIn), limit)
				if err != nil {
					yield(screenings.Row{}, err)
					return
				}
				next = append(next, run)
			}
			runs = next
		}
		n := 0
		for r, err := range merged(ctx, b, runs) {
			if n++; !yield(r, err) || err != nil || n == limit {
				return
			}
		}
	}
}

// runRows is how many rows an object of a merged run has.
const runRows = 5000

// mergeRun merges runs into one, which it stores under a prefix.
func mergeRun(ctx context.Context, b storage.Bucket, runs [][]string, prefix string, limit int) (keys []string, err error) {
	var rows []screenings.Row
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		key := fmt.Sprintf("%s%06d", prefix, len(keys))
		if _, err := PutPart(ctx, b, key, Head{}, rows); err != nil {
			return fmt.Errorf("store %s: %w", key, err)
		}
		keys, rows = append(keys, key), rows[:0]
		return nil
	}
	n := 0
	for r, err := range merged(ctx, b, runs) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
		if len(rows) == runRows {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		if n++; n == limit {
			break
		}
	}
	return keys, flush()
}

// merged merges runs, each the keys of parts one after the other.
func merged(ctx context.Context, b storage.Bucket, runs [][]string) iter.Seq2[screenings.Row, error] {
	return func(yield func(screenings.Row, error) bool) {
		h := &heads{}
		defer h.close()
		for i, keys := range runs {
			next, stop := iter.Pull2(InOrder(ctx, b, func(yield func(string) bool) {
				for _, k := range keys {
					if !yield(k) {
						return
					}
				}
			}))
			h.list = append(h.list, &runHead{number: i, next: next, stop: stop})
		}
		for i := 0; i < len(h.list); {
			more, err := h.list[i].advance()
			if err != nil {
				yield(screenings.Row{}, err)
				return
			}
			if more {
				i++
				continue
			}
			h.list[i].stop()
			h.list = append(h.list[:i], h.list[i+1:]...)
		}
		heap.Init(h)
		for len(h.list) > 0 {
			first := h.list[0]
			if !yield(first.row, nil) {
				return
			}
			more, err := first.advance()
			switch {
			case err != nil:
				yield(screenings.Row{}, err)
				return
			case more:
				heap.Fix(h, 0)
			default:
				first.stop()
				heap.Pop(h)
			}
		}
	}
}

// runHead is a run and its next row.
type runHead struct {
	number int
	row    screenings.Row
	next   func() (screenings.Row, error, bool)
	stop   func()
}

func (r *runHead) advance() (more bool, err error) {
	r.row, err, more = r.next()
	return more, err
}

// heads are a heap of runs by their next rows.
type heads struct{ list []*runHead }

func (h *heads) close() {
	for _, r := range h.list {
		r.stop()
	}
}

func (h *heads) Len() int { return len(h.list) }
func (h *heads) Less(i, j int) bool {
	a, b := h.list[i], h.list[j]
	if c := a.row.Key.Compare(b.row.Key); c != 0 {
		return c < 0
	}
	return a.number < b.number
}
func (h *heads) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *heads) Push(x any)    { h.list = append(h.list, x.(*runHead)) }
func (h *heads) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// Front keeps the rows that no other dominates: is at most as large in all, and less
// in one.
type Front struct {
	Most int // rows; more are an error
	rows []screenings.Row
}

// ErrFront is the error of a front that is larger than may be kept.
var ErrFront = errors.New("the front has too many rows")

// Add takes a row. It costs O(rows of the front).
func (f *Front) Add(r screenings.Row) error {
	for _, v := range r.Front {
		if v != v {
			return nil // what is missing cannot be the best
		}
	}
	kept := f.rows[:0]
	for i := range f.rows {
		other := &f.rows[i]
		if dominates(other.Front, r.Front) {
			return nil // then it dominated none of those before: they are as they were
		}
		if !dominates(r.Front, other.Front) {
			kept = append(kept, *other)
		}
	}
	clear(f.rows[len(kept):])
	f.rows = append(kept, r)
	if f.Most > 0 && len(f.rows) > f.Most {
		return ErrFront
	}
	return nil
}

// Rows are those of the front, in the order in which they came.
func (f *Front) Rows() []screenings.Row { return f.rows }

// FrontOf yields the rows of parts that no other dominates, most of them at most:
// in the order of their keys if ordered, and otherwise as they came.
func FrontOf(ctx context.Context, b storage.Bucket, parts []string, most int, ordered bool) iter.Seq2[screenings.Row, error] {
	return func(yield func(screenings.Row, error) bool) {
		front := &Front{Most: most}
		for r, err := range InOrder(ctx, b, slices.Values(parts)) {
			if err == nil {
				err = front.Add(r)
			}
			if err != nil {
				yield(screenings.Row{}, err)
				return
			}
		}
		rows := front.Rows()
		if ordered {
			slices.SortStableFunc(rows, func(a, b screenings.Row) int { return a.Key.Compare(b.Key) })
		}
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// dominates reports whether a is at most b in all, and less in one.
func dominates(a, b []float64) bool {
	less := false
	for i := range a {
		if a[i] > b[i] {
			return false
		}
		less = less || a[i] < b[i]
	}
	return less
}
