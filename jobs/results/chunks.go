package results

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"polyid-trainer/storage"
)

// ChunkSize is how many bytes an object of a finished file has.
const ChunkSize = 8 << 20

// ChunkWriter stores what is written to it as chunks under keys.
type ChunkWriter struct {
	ctx    context.Context
	bucket storage.Bucket
	key    func(n int) string
	buffer bytes.Buffer
	hash   hash.Hash

	Sizes []int64 // of the chunks
	Bytes int64
}

// NewChunkWriter makes one.
func NewChunkWriter(ctx context.Context, b storage.Bucket, key func(n int) string) *ChunkWriter {
	return &ChunkWriter{ctx: ctx, bucket: b, key: key, hash: sha256.New()}
}

// Write implements io.Writer.
func (w *ChunkWriter) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		part := p[n:min(len(p), n+ChunkSize-w.buffer.Len())]
		w.buffer.Write(part)
		n += len(part)
		if w.buffer.Len() == ChunkSize {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return len(p), nil
}

func (w *ChunkWriter) flush() error {
	if w.buffer.Len() == 0 {
		return nil
	}
	body := w.buffer.Bytes()
	key := w.key(len(w.Sizes))
	if _, err := w.bucket.Put(w.ctx, key, bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	w.hash.Write(body)
	w.Sizes, w.Bytes = append(w.Sizes, int64(len(body))), w.Bytes+int64(len(body))
	w.buffer.Reset()
	return nil
}

// Close stores what is left.
func (w *ChunkWriter) Close() error { return w.flush() }

// SHA256 is the hash of all that was stored, in hexadecimal.
func (w *ChunkWriter) SHA256() string { return hex.EncodeToString(w.hash.Sum(nil)) }

// ChunkReader reads a file of chunks, from anywhere in it. It is an io.ReadSeeker,
// as HTTP wants for ranges.
type ChunkReader struct {
	ctx    context.Context
	bucket storage.Bucket
	key    func(n int) string
	sizes  []int64
	total  int64

	at   int64
	open io.ReadCloser // at at; nil where nothing is open
	left int64         // of open
}

// NewChunkReader makes one of the chunks of these sizes.
func NewChunkReader(ctx context.Context, b storage.Bucket, key func(n int) string, sizes []int64) *ChunkReader {
	r := &ChunkReader{ctx: ctx, bucket: b, key: key, sizes: sizes}
	for _, n := range sizes {
		r.total += n
	}
	return r
}

// Seek implements io.Seeker.
func (r *ChunkReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.total
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek before the beginning")
	}
	if offset != r.at {
		r.Close()
	}
	r.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (r *ChunkReader) Read(p []byte) (int, error) {
	if r.at >= r.total {
		return 0, io.EOF
	}
	if r.open == nil {
		if err := r.openChunk(); err != nil {
			return 0, err
		}
	}
	n, err := r.open.Read(p[:min(int64(len(p)), r.left)])
	r.at += int64(n)
	r.left -= int64(n)
	if r.left == 0 {
		r.Close()
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// openChunk opens the chunk that holds at.
func (r *ChunkReader) openChunk() error {
	skip, n := r.at, 0
	for skip >= r.sizes[n] {
		skip -= r.sizes[n]
		n++
	}
	o, err := r.bucket.Get(r.ctx, r.key(n))
	if err != nil {
		return fmt.Errorf("read %s: %w", r.key(n), err)
	}
	if _, err := io.CopyN(io.Discard, o, skip); err != nil {
		o.Close()
		return fmt.Errorf("read %s: %w", r.key(n), noEOF(err))
	}
	r.open, r.left = o, r.sizes[n]-skip
	return nil
}

// Close closes what is open; the reader may be read on.
func (r *ChunkReader) Close() error {
	if r.open == nil {
		return nil
	}
	err := r.open.Close()
	r.open = nil
	return err
}
