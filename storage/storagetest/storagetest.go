// Package storagetest holds every storage.Bucket to the same behaviour.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"polyid-trainer/storage"
)

// Exercise runs the suite; open returns an empty bucket each time.
func Exercise(t *testing.T, open func(t *testing.T) storage.Bucket) {
	t.Run("round trip", func(t *testing.T) { exerciseRoundTrip(t, open(t)) })
	t.Run("conditions", func(t *testing.T) { exerciseConditions(t, open(t)) })
	t.Run("one winner", func(t *testing.T) { exerciseOneWinner(t, open(t)) })
	t.Run("counter", func(t *testing.T) { exerciseCounter(t, open(t)) })
	t.Run("whole objects", func(t *testing.T) { exerciseWholeObjects(t, open(t)) })
	t.Run("list", func(t *testing.T) { exerciseList(t, open(t)) })
	t.Run("broken body", func(t *testing.T) { exerciseBrokenBody(t, open(t)) })
	t.Run("bad keys", func(t *testing.T) { exerciseBadKeys(t, open(t)) })
	t.Run("large", func(t *testing.T) { exerciseLarge(t, open(t)) })
}

func put(t *testing.T, b storage.Bucket, key, body string, cond storage.Condition) storage.Version {
	t.Helper()
	v, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), cond)
	if err != nil {
		t.Fatalf("Put(%s): %v", key, err)
	}
	if v == "" {
		t.Fatalf("Put(%s) returned no version", key)
	}
	return v
}

func get(t *testing.T, b storage.Bucket, key string) (string, storage.Version) {
	t.Helper()
	o, err := b.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%s): %v", key, err)
	}
	defer o.Close()
	body, err := io.ReadAll(o)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	if o.Key != key || o.Size != int64(len(body)) || o.Modified.IsZero() {
		t.Errorf("Get(%s) describes %+v, body has %d bytes", key, o.Entry, len(body))
	}
	v, err := o.Version()
	if err != nil {
		t.Fatalf("version of %s: %v", key, err)
	}
	return string(body), v
}

func exerciseRoundTrip(t *testing.T, b storage.Bucket) {
	for _, key := range []string{"a", "jobs/tj_1/record.json", "jobs/tj_1/é ü+&=%.json"} {
		for _, body := range []string{"", "one", "another one"} {
			v := put(t, b, key, body, storage.Condition{})
			if have, read := get(t, b, key); have != body || read != v {
				t.Errorf("Get(%s) = %q version %s, put %q version %s", key, have, read, body, v)
			}
		}
		for range 2 { // the second time there is nothing to delete
			if err := b.Delete(t.Context(), key); err != nil {
				t.Errorf("Delete(%s): %v", key, err)
			}
		}
		if _, err := b.Get(t.Context(), key); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Get(%s) after Delete = %v, want ErrNotExist", key, err)
		}
	}
}

func exerciseConditions(t *testing.T, b storage.Bucket) {
	conflict := func(what string, cond storage.Condition) {
		t.Helper()
		_, err := b.Put(t.Context(), "k", strings.NewReader("x"), 1, cond)
		if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", what, err)
		}
	}
	v1 := put(t, b, "k", "1", storage.IfAbsent())
	conflict("IfAbsent over an object", storage.IfAbsent())
	v2 := put(t, b, "k", "2", storage.IfMatch(v1))
	conflict("IfMatch of an old version", storage.IfMatch(v1))
	if body, v := get(t, b, "k"); body != "2" || v != v2 {
		t.Errorf("a refused Put changed the object to %q", body)
	}
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	conflict("IfMatch of a deleted object", storage.IfMatch(v2))
	put(t, b, "k", "3", storage.IfAbsent())
}

// exerciseOneWinner races writers for the same absent key.
func exerciseOneWinner(t *testing.T, b storage.Bucket) {
	const writers = 8
	for round := range 5 {
		key := fmt.Sprint("race/", round)
		var won atomic.Int32
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				body := fmt.Sprint("writer ", w)
				_, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), storage.IfAbsent())
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, storage.ErrConflict):
					t.Errorf("Put: %v", err)
				}
			})
		}
		wg.Wait()
		if n := won.Load(); n != 1 {
			t.Errorf("round %d has %d winners", round, n)
		}
	}
}

// exerciseCounter moves one record by compare-and-set from many goroutines; no
// step may be lost.
func exerciseCounter(t *testing.T, b storage.Bucket) {
	const goroutines, steps = 4, 10
	put(t, b, "counter", "0", storage.IfAbsent())
	step := func() error {
		for {
			o, err := b.Get(t.Context(), "counter")
			if err != nil {
				return err
			}
			var n int
			_, err = fmt.Fscan(o, &n)
			v, unversioned := o.Version()
			o.Close()
			if err = errors.Join(err, unversioned); err != nil {
				return err
			}
			body := fmt.Sprint(n + 1)
			_, err = b.Put(t.Context(), "counter", strings.NewReader(body), int64(len(body)), storage.IfMatch(v))
			if !errors.Is(err, storage.ErrConflict) {
				return err
			}
		}
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range steps {
				if err := step(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if body, _ := get(t, b, "counter"); body != fmt.Sprint(goroutines*steps) {
		t.Errorf("the counter is at %s after %d steps", body, goroutines*steps)
	}
}

// exerciseWholeObjects overwrites an object while others read it: each reader
// sees one writing, whole.
func exerciseWholeObjects(t *testing.T, b storage.Bucket) {
	const size = 1 << 16
	body := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, size) }
	put(t, b, "whole", string(body(0)), storage.Condition{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				o, err := b.Get(t.Context(), "whole")
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				have, err := io.ReadAll(o)
				o.Close()
				if err != nil || len(have) != size || !bytes.Equal(have, bytes.Repeat(have[:1], size)) {
					t.Errorf("read %d mixed bytes, error %v", len(have), err)
					return
				}
			}
		})
	}
	for i := range 30 {
		put(t, b, "whole", string(body(i)), storage.Condition{})
	}
	cancel()
	wg.Wait()
}

func exerciseList(t *testing.T, b storage.Bucket) {
	keys := []string{"a-b", "a/1", "a/2/x", "a/2/y", "a/20", "a0", "b", "é"}
	for i, key := range keys {
		put(t, b, key, strings.Repeat("x", i), storage.Condition{})
	}
	for _, prefix := range []string{"", "a", "a/", "a/2", "a/2/", "b", "c", "a/3", "é"} {
		var want, have []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		for e, err := range b.List(t.Context(), prefix) {
			if err != nil {
				t.Fatalf("List(%q): %v", prefix, err)
			}
			have = append(have, e.Key)
			if i := slices.Index(keys, e.Key); e.Size != int64(i) || e.Modified.IsZero() {
				t.Errorf("List(%q) describes %+v", prefix, e)
			}
		}
		if !slices.Equal(have, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, have, want)
		}
	}
	for range b.List(t.Context(), "") {
		break // stopping early must not panic
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range b.List(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List with an ended context = %v", err)
		}
	}
}

// exerciseBrokenBody sends bodies that end early, late or in an error: nothing
// may become visible.
func exerciseBrokenBody(t *testing.T, b storage.Bucket) {
	broken := errors.New("broken")
	for name, body := range map[string]io.Reader{
		"error": io.MultiReader(strings.NewReader("par"), errReader{broken}),
		"short": strings.NewReader("par"),
		"long":  strings.NewReader("partial and more"),
	} {
		if _, err := b.Put(t.Context(), "broken", body, int64(len("partial")), storage.Condition{}); err == nil {
			t.Errorf("Put of a body that is %s succeeded", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Put(ctx, "broken", strings.NewReader("x"), 1, storage.Condition{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Put with an ended context = %v", err)
	}
	if _, err := b.Get(t.Context(), "broken"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Get after broken Puts = %v, want ErrNotExist", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func exerciseBadKeys(t *testing.T, b storage.Bucket) {
	for _, key := range []string{"", "../up", "a/../../up", "/etc", "a//b", "a\\b", "a\x00"} {
		if _, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, storage.Condition{}); err == nil {
			t.Errorf("Put(%q) succeeded", key)
		}
		if _, err := b.Get(t.Context(), key); err == nil {
			t.Errorf("Get(%q) succeeded", key)
		}
		if err := b.Delete(t.Context(), key); err == nil {
			t.Errorf("Delete(%q) succeeded", key)
		}
	}
}

// exerciseLarge stores what a checkpoint weighs, conditionally.
func exerciseLarge(t *testing.T, b storage.Bucket) {
	body := make([]byte, 40<<20+7)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(body)
	for _, cond := range []storage.Condition{storage.IfAbsent(), {}} {
		if _, err := b.Put(t.Context(), "large", bytes.NewReader(body), int64(len(body)), cond); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Put(t.Context(), "large", bytes.NewReader(body), int64(len(body)), storage.IfAbsent()); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("second IfAbsent = %v, want ErrConflict", err)
	}
	o, err := b.Get(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	have, err := io.ReadAll(o)
	if err != nil || !bytes.Equal(have, body) {
		t.Errorf("read back %d bytes of %d, error %v", len(have), len(body), err)
	}
}
