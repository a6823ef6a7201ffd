package storage_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
)

// atOnce makes waits that are over when they begin, and notes them.
func atOnce(waits *[]time.Duration) func(time.Duration) <-chan time.Time {
	return func(d time.Duration) <-chan time.Time {
		*waits = append(*waits, d)
		c := make(chan time.Time, 1)
		c <- time.Time{}
		return c
	}
}

func openFile(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The suite holds through a Retry too.
func TestRetryIsABucket(t *testing.T) {
	storagetest.Exercise(t, func(t *testing.T) storage.Bucket { return &storage.Retry{Bucket: openFile(t), First: time.Nanosecond} })
}

func TestRetry(t *testing.T) {
	var waits []time.Duration
	failures := 0
	faulty := &storagetest.Faulty{Bucket: openFile(t), Fail: func(int, string, string) storagetest.Fault {
		if failures > 0 {
			failures--
			return storagetest.Refused
		}
		return storagetest.None
	}}
	r := &storage.Retry{Bucket: faulty, Tries: 4, First: time.Second, After: atOnce(&waits)}

	failures = 3
	if _, err := r.Put(t.Context(), "a", strings.NewReader("body"), 4, storage.IfAbsent()); err != nil {
		t.Errorf("Put after three faults: %v", err)
	}
	for i, base := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		if len(waits) != 3 || waits[i] < base || waits[i] > base*3/2 {
			t.Fatalf("waits %v, want 1, 2 and 4 s and up to half more", waits)
		}
	}
	failures = 3
	o, err := r.Get(t.Context(), "a")
	if err != nil {
		t.Fatalf("Get after three faults: %v", err)
	}
	if body, _ := io.ReadAll(o); string(body) != "body" {
		t.Errorf("read back %q", body)
	}
	o.Close()
	failures = 2
	n := 0
	for _, err := range r.List(t.Context(), "") {
		if err != nil {
			t.Errorf("List after two faults: %v", err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("listed %d objects", n)
	}
	failures = 4
	if err := r.Delete(t.Context(), "a"); !errors.Is(err, storagetest.ErrFault) {
		t.Errorf("Delete after four faults with four tries: %v", err)
	}
}

// Outcomes are not repeated, and the end of the context ends the waiting.
func TestRetryGivesUp(t *testing.T) {
	var waits []time.Duration
	r := &storage.Retry{Bucket: openFile(t), After: atOnce(&waits)}
	if _, err := r.Get(t.Context(), "none"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Get = %v, want ErrNotExist", err)
	}
	if _, err := r.Put(t.Context(), "none", strings.NewReader("x"), 1, storage.IfMatch("v")); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put = %v, want ErrConflict", err)
	}
	if len(waits) > 0 {
		t.Errorf("waited %v for what will not change", waits)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("shutting down")
	stuck := &storage.Retry{
		Bucket: &storagetest.Faulty{Bucket: openFile(t), Fail: func(int, string, string) storagetest.Fault { return storagetest.Refused }},
		After:  func(time.Duration) <-chan time.Time { cancel(why); return nil },
	}
	if err := stuck.Delete(ctx, "a"); !errors.Is(err, why) || !errors.Is(err, storagetest.ErrFault) {
		t.Errorf("Delete while shutting down: %v", err)
	}
}
