// Package probe finds out whether a bucket does what the program relies on:
// whether it stores what it is given, honours conditions, lists and deletes. Stores
// that call themselves S3-compatible differ in all of these.
package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"polyid-trainer/storage"
)

// ErrUnfit means that a store answers, and that what it does is not what the
// program relies on.
var ErrUnfit = errors.New("this storage does not do what is needed of it")

const (
	dir       = "check/" // every key that is written, and removed, here
	small     = 1 << 10  // bytes
	large     = 17 << 20 // bytes: more than two parts of an upload
	writers   = 8        // that race for one key
	cleanTime = 5 * time.Second
)

// Result is how one check went.
type Result struct {
	Name string // what the store is to do
	Err  error  // nil if it does
	Took time.Duration
}

// Run makes every check and tells report of each as it ends. It writes about
// 35 MB, and removes what it wrote. It reports whether all went well.
func Run(ctx context.Context, b storage.Bucket, report func(Result)) bool {
	p, fit := newProber(b), true
	for _, c := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"stores and returns small objects", p.roundTrip(small)},
		{"stores and returns large objects, in parts", p.roundTrip(large)},
		{"creates only what is not there (If-None-Match)", p.absent},
		{"replaces only the expected version (If-Match)", p.match},
		{"lets one of several writers win", p.race},
		{"lists by prefix in the order of keys", p.list},
		{"removes objects", p.remove},
	} {
		began := time.Now()
		err := c.do(ctx)
		report(Result{c.name, err, time.Since(began)})
		fit = fit && err == nil
	}
	p.clean(ctx)
	return fit
}

// Start makes the checks that a service makes before it relies on a bucket: a
// round trip and both conditions, in eight requests. An error that is ErrUnfit or
// storage.ErrRefused will not pass by itself.
func Start(ctx context.Context, b storage.Bucket) error {
	p := newProber(b)
	defer p.clean(ctx)
	for _, do := range []func(context.Context) error{p.roundTrip(small), p.absent, p.match} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Write reports whether the bucket takes a write now.
func Write(ctx context.Context, b storage.Bucket) error {
	const key = dir + "ready" // the same for all processes, so that none is left behind
	if _, err := b.Put(ctx, key, strings.NewReader("ready\n"), 6, storage.Condition{}); err != nil {
		return err
	}
	return b.Delete(ctx, key)
}

type prober struct {
	bucket storage.Bucket
	prefix string
	mu     sync.Mutex
	keys   []string
}

func newProber(b storage.Bucket) *prober {
	return &prober{bucket: b, prefix: dir + strings.ToLower(rand.Text()) + "/"}
}

// put writes an object that clean removes.
func (p *prober) put(ctx context.Context, name string, body []byte, cond storage.Condition) (storage.Version, error) {
	key := p.prefix + name
	p.mu.Lock()
	if !slices.Contains(p.keys, key) {
		p.keys = append(p.keys, key)
	}
	p.mu.Unlock()
	return p.bucket.Put(ctx, key, bytes.NewReader(body), int64(len(body)), cond)
}

func (p *prober) get(ctx context.Context, name string) ([]byte, storage.Version, error) {
	o, err := p.bucket.Get(ctx, p.prefix+name)
	if err != nil {
		return nil, "", err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, 2*large))
	if err != nil {
		return nil, "", err
	}
	v, err := o.Version()
	return body, v, err
}

func unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnfit, fmt.Sprintf(format, args...))
}

// roundTrip stores size bytes and compares what it reads.
func (p *prober) roundTrip(size int) func(context.Context) error {
	return func(ctx context.Context) error {
		sent := make([]byte, size)
		rand.Read(sent) // never fails
		name := fmt.Sprint("bytes-", size)
		if _, err := p.put(ctx, name, sent, storage.Condition{}); err != nil {
			return err
		}
		have, _, err := p.get(ctx, name)
		if errors.Is(err, storage.ErrNotExist) {
			return unfit("an object that was stored is not there")
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(have, sent) {
			return unfit("of %d bytes that were stored it returns %d others: it may keep the framing of uploads (aws-chunked)", len(sent), len(have))
		}
		return nil
	}
}

// absent creates an object twice.
func (p *prober) absent(ctx context.Context) error {
	if _, err := p.put(ctx, "absent", []byte("first"), storage.IfAbsent()); err != nil {
		return err
	}
	_, err := p.put(ctx, "absent", []byte("second"), storage.IfAbsent())
	return conflict(err, "it overwrites an object that was to be created only if there is none")
}

// match replaces a version that is there, and one that is not.
func (p *prober) match(ctx context.Context) error {
	first, err := p.put(ctx, "match", []byte("1"), storage.Condition{})
	if err != nil {
		return err
	}
	if _, read, err := p.get(ctx, "match"); err != nil || read != first {
		return errors.Join(err, unfit("it calls a version %q when it is written and %q when it is read", first, read))
	}
	if _, err := p.put(ctx, "match", []byte("2"), storage.IfMatch(first)); err != nil {
		if errors.Is(err, storage.ErrConflict) {
			return unfit("it refuses to replace the version that is there: %v", err)
		}
		return err
	}
	_, err = p.put(ctx, "match", []byte("3"), storage.IfMatch(first))
	return conflict(err, "it replaces a version that is no longer there, so that one writer undoes what another wrote")
}

// conflict makes sure that a condition was refused.
func conflict(err error, otherwise string) error {
	switch {
	case errors.Is(err, storage.ErrConflict):
		return nil
	case err == nil:
		return unfit("%s", otherwise)
	}
	return err
}

// race lets several writers create one object.
func (p *prober) race(ctx context.Context) error {
	var won atomic.Int32
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			switch _, err := p.put(ctx, "race", []byte{byte('a' + i)}, storage.IfAbsent()); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, storage.ErrConflict):
				errs[i] = err
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if n := won.Load(); n != 1 {
		return unfit("%d of %d writers of one object are told that they created it", n, writers)
	}
	return nil
}

// list lists a few objects.
func (p *prober) list(ctx context.Context) error {
	want := []string{"list/a-b", "list/a/c", "list/a0", "list/b"}
	for _, name := range []string{want[3], want[1], want[2], want[0]} {
		if _, err := p.put(ctx, name, nil, storage.Condition{}); err != nil {
			return err
		}
	}
	var have []string
	for e, err := range p.bucket.List(ctx, p.prefix+"list/") {
		if err != nil {
			return err
		}
		have = append(have, strings.TrimPrefix(e.Key, p.prefix))
	}
	if !slices.Equal(have, want) {
		return unfit("it lists %q of %q", have, want)
	}
	return nil
}

// remove deletes an object, twice.
func (p *prober) remove(ctx context.Context) error {
	if _, err := p.put(ctx, "remove", nil, storage.Condition{}); err != nil {
		return err
	}
	for range 2 {
		if err := p.bucket.Delete(ctx, p.prefix+"remove"); err != nil {
			return err
		}
	}
	switch _, _, err := p.get(ctx, "remove"); {
	case err == nil:
		return unfit("an object that was removed is still there")
	case !errors.Is(err, storage.ErrNotExist):
		return err
	}
	return nil
}

// clean removes what was written. What it cannot remove is of no harm.
func (p *prober) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	for _, key := range p.keys {
		_ = p.bucket.Delete(ctx, key)
	}
}
