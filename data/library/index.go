package library

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"

	"polyid-trainer/data"
	"polyid-trainer/storage"
)

// Index is what is known of a library.
type Index struct {
	Header   []string   `json:"header"`
	Roles    data.Roles `json:"roles"`   // the columns that say what the polymers are
	Numeric  []bool     `json:"numeric"` // by column: every cell that is filled is a number
	Rows     int64      `json:"rows"`
	Broken   int64      `json:"broken"` // rows whose cells cannot be told apart
	Hash     string     `json:"hash"`   // sha256 of the rows, in hexadecimal
	Segments []Segment  `json:"segments"`
}

// Segment is some of the rows, one after the other.
type Segment struct {
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`  // as stored
	SHA256 string `json:"sha256"` // of what is stored, in hexadecimal
}

// Rows is any number of rows of polymers that can be read by ranges, a library
// or a grid.
type Rows interface {
	// Index describes the rows; its Segments may be empty.
	Index() *Index
	// Sheet reads the rows from one up to another. A range beyond the end is an
	// error.
	Sheet(ctx context.Context, from, to int64) (*data.Sheet, error)
}

var _, _ Rows = (*Library)(nil), (*Grid)(nil)

func indexKey(prefix string) string          { return prefix + "index.json" }
func segmentKey(prefix string, n int) string { return fmt.Sprintf("%ssegments/%08d", prefix, n) }

// maxIndex bounds an index: 100,000,000 rows have some thousands of segments.
const maxIndex = 64 << 20

// ErrDamaged is the error of a library whose objects are not what was written.
var ErrDamaged = errors.New("the library is damaged")

// Library reads a library. It is safe for concurrent use, and keeps the segment
// that was read last.
type Library struct {
	bucket storage.Bucket
	prefix string
	index  *Index
	starts []int64 // first row of each segment
	cache  segmentCache
}

// Open reads the index of the library under a prefix; storage.ErrNotExist if
// there is none.
func Open(ctx context.Context, b storage.Bucket, prefix string) (*Library, error) {
	o, err := b.Get(ctx, indexKey(prefix))
	if err != nil {
		return nil, err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, maxIndex))
	if err != nil {
		return nil, fmt.Errorf("read library: %w", err)
	}
	l := &Library{bucket: b, prefix: prefix, index: &Index{}}
	if err := json.Unmarshal(body, l.index); err != nil {
		return nil, fmt.Errorf("%w: its index cannot be read: %w", ErrDamaged, err)
	}
	var rows int64
	for _, s := range l.index.Segments {
		l.starts = append(l.starts, rows)
		rows += int64(s.Rows)
	}
	if rows != l.index.Rows || len(l.index.Numeric) != len(l.index.Header) {
		return nil, fmt.Errorf("%w: its index counts %d rows, its segments %d", ErrDamaged, l.index.Rows, rows)
	}
	return l, nil
}

// Index implements [Rows].
func (l *Library) Index() *Index { return l.index }

// Sheet implements [Rows].
func (l *Library) Sheet(ctx context.Context, from, to int64) (*data.Sheet, error) {
	if err := inside(from, to, l.index.Rows); err != nil {
		return nil, err
	}
	lines := make([]data.Line, 0, to-from)
	n := sort.Search(len(l.starts), func(i int) bool { return l.starts[i] > from }) - 1
	for ; from < to; n++ {
		s, err := l.segment(ctx, n)
		if err != nil {
			return nil, err
		}
		first := l.starts[n]
		end := min(to, first+int64(l.index.Segments[n].Rows))
		if lines, err = s.lines(lines, int(from-first), int(end-first)); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, segmentKey(l.prefix, n), err)
		}
		from = end
	}
	return data.Block(l.index.Header, lines), nil
}

func inside(from, to, rows int64) error {
	if from < 0 || to < from || to > rows {
		return fmt.Errorf("rows %d to %d of a library of %d", from, to, rows)
	}
	return nil
}

// writeIndex stores the index of a library, which is complete from then on.
func writeIndex(ctx context.Context, b storage.Bucket, prefix string, x *Index) error {
	body, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if len(body) > maxIndex {
		return fmt.Errorf("%w: the index of the library would have %d bytes", data.ErrTooLarge, len(body))
	}
	if _, err := b.Put(ctx, indexKey(prefix), bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		return fmt.Errorf("store library: %w", err)
	}
	return nil
}
