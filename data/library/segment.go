package library

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"polyid-trainer/data"
)

// segment is the rows of one segment, each as data.Line writes it behind its
// length.
type segment struct {
	number int
	body   []byte
	starts []int // of each row in body, and its end
}

// segmentCache keeps the segment that was read last: ranges of rows are mostly
// asked for one after the other.
type segmentCache struct {
	mu   sync.Mutex
	last *segment
}

// segment reads a segment. Of several callers at once one reads.
func (l *Library) segment(ctx context.Context, n int) (*segment, error) {
	l.cache.mu.Lock()
	defer l.cache.mu.Unlock()
	if s := l.cache.last; s != nil && s.number == n {
		return s, nil
	}
	l.cache.last = nil // two need not be held
	s, err := l.read(ctx, n)
	if err != nil {
		return nil, err
	}
	l.cache.last = s
	return s, nil
}

func (l *Library) read(ctx context.Context, n int) (*segment, error) {
	key, known := segmentKey(l.prefix, n), l.index.Segments[n]
	o, err := l.bucket.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read library: %w", err)
	}
	defer o.Close()
	packed, err := io.ReadAll(io.LimitReader(o, known.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if sum := sha256.Sum256(packed); hex.EncodeToString(sum[:]) != known.SHA256 {
		return nil, fmt.Errorf("%w: %s is not what was written", ErrDamaged, key)
	}
	s := &segment{number: n}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		s.body, err = io.ReadAll(z)
	}
	if err == nil {
		err = s.find(known.Rows)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, key, err)
	}
	return s, nil
}

// find finds where the rows begin.
func (s *segment) find(rows int) error {
	s.starts = make([]int, 0, rows+1)
	at := 0
	for range rows {
		length, n := binary.Uvarint(s.body[at:])
		if n <= 0 || length > uint64(len(s.body)-at-n) {
			return fmt.Errorf("it ends at row %d of %d", len(s.starts), rows)
		}
		s.starts = append(s.starts, at+n)
		at += n + int(length)
	}
	s.starts = append(s.starts, len(s.body))
	return nil
}

// lines appends rows of the segment.
func (s *segment) lines(to []data.Line, from, end int) ([]data.Line, error) {
	for i := from; i < end; i++ {
		l, _, err := data.ReadLine(s.body[s.starts[i]:s.starts[i+1]])
		if err != nil {
			return nil, err
		}
		to = append(to, l)
	}
	return to, nil
}
