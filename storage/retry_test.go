package storage_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
)

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
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		faulty := &storagetest.Faulty{Bucket: openFile(t), Fail: func(int, string, string) storagetest.Fault {
			if failures > 0 {
				failures--
				return storagetest.Refused
			}
			return storagetest.None
		}}
		r := &storage.Retry{Bucket: faulty, Tries: 4, First: time.Second}

		began := time.Now()
		failures = 3
		if _, err := r.Put(t.Context(), "a", strings.NewReader("body"), 4, storage.IfAbsent()); err != nil {
			t.Errorf("Put after three faults: %v", err)
		}
		if took := time.Since(began); took < 7*time.Second/2 || took > 7*time.Second*3/2 {
			t.Errorf("three waits took %v, want 1, 2 and 4 s, each up to half shorter or longer", took)
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
		if err := r.Delete(t.Context(), "a"); !errors.Is(err, storagetest.ErrFault) || !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Delete after four faults with four tries: %v", err)
		}
	})
}

// Outcomes are not repeated, and the end of the context ends the waiting.
func TestRetryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &storage.Retry{Bucket: openFile(t)}
		began := time.Now()
		if _, err := r.Get(t.Context(), "none"); !errors.Is(err, storage.ErrNotExist) || errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Get = %v, want ErrNotExist", err)
		}
		if _, err := r.Put(t.Context(), "none", strings.NewReader("x"), 1, storage.IfMatch("v")); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Put = %v, want ErrConflict", err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("waited %v for what will not change", waited)
		}

		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("shutting down")
		stuck := &storage.Retry{Bucket: &storagetest.Faulty{Bucket: openFile(t), Fail: func(int, string, string) storagetest.Fault { return storagetest.Refused }}, First: time.Hour}
		time.AfterFunc(time.Second, func() { cancel(why) })
		if err := stuck.Delete(ctx, "a"); !errors.Is(err, why) || !errors.Is(err, storagetest.ErrFault) {
			t.Errorf("Delete while shutting down: %v", err)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("the end of the context was seen after %v", waited)
		}
	})
}
