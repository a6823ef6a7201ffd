package library

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/data"
	"polyid-trainer/storage"
)

// Limits bound what is written. A zero field takes its default.
type Limits struct {
	Bytes int64 // of the file, packed or not; 20 GB
	Rows  int   // 100,000,000

	segment int // bytes of a segment before it is packed; for tests
}

// WithDefaults fills what is unset.
func (l Limits) WithDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 20 << 30
	}
	if l.Rows == 0 {
		l.Rows = 100_000_000
	}
	if l.segment == 0 {
		l.segment = 4 << 20
	}
	return l
}

const (
	blockRows  = 1000     // read at once
	maxRecord  = 64 << 10 // bytes of a row: with blockRows it bounds memory
	putsAtOnce = 2        // segments being stored while others are read
)

// Write reads a file, as data.ReadSheet does, and stores it as a library under a
// prefix. o says how structures are recognized; c what the caller states of
// columns. Errors are of data.ErrFormat and data.ErrTooLarge, or the storage's.
// Memory is that of a few segments, whatever the file.
func Write(ctx context.Context, b storage.Bucket, prefix string, r io.Reader, c data.Columns, o data.Options, l Limits) (*Index, error) {
	l = l.WithDefaults()
	o.MaxBytes, o.MaxRows, o.MaxRecord = l.Bytes, l.Rows, maxRecord
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(putsAtOnce)
	w := &writer{ctx: ctx, bucket: b, prefix: prefix, limit: l.segment, columns: c, options: o, puts: group, hash: sha256.New()}
	err := data.Stream(r, "library", blockRows, o, w.add)
	if err == nil {
		err = w.flush()
	}
	if put := group.Wait(); put != nil { // the cause of what else failed
		return nil, put
	}
	if err != nil {
		return nil, err
	}
	w.index.Hash = hex.EncodeToString(w.hash.Sum(nil))
	return &w.index, writeIndex(context.WithoutCancel(ctx), b, prefix, &w.index)
}

// writer gathers rows into segments.
type writer struct {
	ctx     context.Context
	bucket  storage.Bucket
	prefix  string
	limit   int
	columns data.Columns
	options data.Options
	puts    *errgroup.Group
	hash    hash.Hash

	index           Index
	numbers, others []int        // cells, by column
	body            bytes.Buffer // of the segment at hand
	rows            int          // in it
	line            []byte
}

// add takes a block of the file.
func (w *writer) add(s *data.Sheet) error {
	if w.index.Header == nil {
		roles, defects := s.Roles(w.columns, w.options)
		if len(defects) > 0 {
			return fmt.Errorf("%w: %s", data.ErrFormat, defects[0])
		}
		w.index.Header, w.index.Roles, w.index.Numeric = s.Header, roles, make([]bool, len(s.Header))
		w.numbers, w.others = make([]int, len(s.Header)), make([]int, len(s.Header))
		for _, h := range s.Header {
			fmt.Fprintf(w.hash, "%q\n", h)
		}
	}
	w.judge(s)
	for _, l := range s.Rows {
		if err := w.append(l); err != nil {
			return err
		}
	}
	return context.Cause(w.ctx)
}

// judge notes which columns hold numbers and nothing else.
func (w *writer) judge(s *data.Sheet) {
	numbers, others := s.CountNumbers()
	for i := range numbers {
		w.numbers[i] += numbers[i]
		w.others[i] += others[i]
		w.index.Numeric[i] = w.numbers[i] > 0 && w.others[i] == 0
	}
}

// append adds a row to the segment at hand, which is stored when it is full.
func (w *writer) append(l data.Line) (err error) {
	if l.Broken() != nil {
		w.index.Broken++
	}
	if w.line, err = l.AppendBinary(w.line[:0]); err != nil {
		return err
	}
	var length [binary.MaxVarintLen64]byte
	w.body.Write(length[:binary.PutUvarint(length[:], uint64(len(w.line)))])
	w.body.Write(w.line)
	w.rows++
	if w.body.Len() >= w.limit {
		return w.flush()
	}
	return nil
}

// flush stores the segment at hand, while the next is read.
func (w *writer) flush() error {
	if w.rows == 0 {
		return nil
	}
	w.hash.Write(w.body.Bytes())
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := z.Write(w.body.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	sum := sha256.Sum256(packed.Bytes())
	n := len(w.index.Segments)
	w.index.Segments = append(w.index.Segments, Segment{Rows: w.rows, Bytes: int64(packed.Len()), SHA256: hex.EncodeToString(sum[:])})
	w.index.Rows += int64(w.rows)
	w.body.Reset()
	w.rows = 0
	w.puts.Go(func() error {
		_, err := w.bucket.Put(w.ctx, segmentKey(w.prefix, n), bytes.NewReader(packed.Bytes()), int64(packed.Len()), storage.Condition{})
		if err != nil {
			return fmt.Errorf("store library: %w", err)
		}
		return nil
	})
	return context.Cause(w.ctx)
}
