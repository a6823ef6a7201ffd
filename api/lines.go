package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

const (
	maxLine    = 16 << 20 // bytes of a line that are kept; the rest is dropped
	batchLines = 64       // lines a worker takes at a time, unless
	batchBytes = 16 << 10 // they hold this many bytes, or no more have come in yet
	keptBytes  = 8 << 20  // a buffer of answers larger than this is not used again
)

// lineFunc appends the answer to a line (without its line ending) to dst. It is
// called from one goroutine.
type lineFunc func(dst, line []byte) []byte

// mapLines answers every line of in on out, in order, working on several at
// once: each core calls newWorker for a lineFunc of its own. It streams: a line
// is answered as soon as the lines before it are, without waiting for more
// input, and memory is bounded by a few batches. Lines are cut at maxLine
// bytes. It returns when in ends, ctx does, or out fails; in the last two cases
// a Read of in may be left waiting.
func mapLines(ctx context.Context, in io.Reader, out io.Writer, newWorker func() lineFunc) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	workers := runtime.GOMAXPROCS(0)
	todo := make(chan *batch, workers)
	ordered := make(chan *batch, 2*workers) // the same batches, for the writer
	free := make(chan *batch, 4*workers)    // for reuse

	var failed error // set before ordered is closed
	go func() {
		defer close(todo)
		defer close(ordered)
		failed = readBatches(ctx, in, free, ordered, todo)
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range workers {
		wg.Go(func() {
			work := newWorker()
			for {
				select {
				case b, open := <-todo:
					if !open {
						return
					}
					b.answer(work)
				case <-ctx.Done():
					return
				}
			}
		})
	}

	w := bufio.NewWriterSize(out, 256<<10)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b, open := <-ordered:
			if !open {
				if !errors.Is(failed, io.EOF) {
					return fmt.Errorf("read lines: %w", failed)
				}
				return w.Flush()
			}
			select {
			case <-b.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if _, err := w.Write(b.out); err != nil {
				return err
			}
			if cap(b.out) <= keptBytes {
				select {
				case free <- b:
				default:
				}
			}
			if len(ordered) == 0 {
				if err := w.Flush(); err != nil {
					return err
				}
			}
		}
	}
}

// readBatches reads in to its end and sends each batch of lines to every queue.
// It takes batches to fill from free, and makes them where there is none. It
// returns why it ended: io.EOF, a failure to read, or nil when ctx ended.
func readBatches(ctx context.Context, in io.Reader, free <-chan *batch, queues ...chan<- *batch) error {
	r := lineReader{bufio.NewReaderSize(in, 64<<10)}
	for {
		var b *batch
		select {
		case b = <-free:
			b.reset()
		default:
			b = &batch{done: make(chan struct{}, 1)}
		}
		failed := r.fill(b)
		if len(b.ends) > 0 {
			for _, queue := range queues {
				select {
				case queue <- b:
				case <-ctx.Done():
					return nil
				}
			}
		}
		if failed != nil {
			return failed
		}
	}
}

// batch is some consecutive lines and their answers.
type batch struct {
	text []byte // the lines, end to end
	ends []int  // where each ends in text
	out  []byte
	done chan struct{} // one value when out is complete
}

func (b *batch) reset() { b.text, b.ends, b.out = b.text[:0], b.ends[:0], b.out[:0] }

func (b *batch) answer(work lineFunc) {
	start := 0
	for _, end := range b.ends {
		b.out = work(b.out, b.text[start:end])
		start = end
	}
	b.done <- struct{}{}
}

// lineReader reads batches of lines.
type lineReader struct{ r *bufio.Reader }

// fill reads at least one line, and more only as far as they have come in. The
// error, io.EOF at the end, comes with the lines before it.
func (l lineReader) fill(b *batch) error {
	for {
		if err := l.line(b); err != nil {
			return err
		}
		if len(b.ends) >= batchLines || len(b.text) >= batchBytes {
			return nil
		}
		waiting, _ := l.r.Peek(l.r.Buffered())
		if bytes.IndexByte(waiting, '\n') < 0 {
			return nil
		}
	}
}

// line reads one line without its ending, \n or \r\n. The last line may lack
// one.
func (l lineReader) line(b *batch) error {
	start := len(b.text)
	for {
		part, err := l.r.ReadSlice('\n')
		room := maxLine + len("\r\n") - (len(b.text) - start)
		b.text = append(b.text, part[:min(len(part), room)]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && len(b.text) == start:
			return err
		}
		end := len(b.text)
		if end > start && b.text[end-1] == '\n' {
			end--
		}
		if end > start && b.text[end-1] == '\r' {
			end--
		}
		end = min(end, start+maxLine)
		b.text = b.text[:end]
		b.ends = append(b.ends, end)
		return err
	}
}
