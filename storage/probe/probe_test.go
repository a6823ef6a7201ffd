package probe_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/probe"
	"polyid-trainer/storage/storagetest"
)

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A directory will do, and nothing is left in it.
func TestDirectory(t *testing.T) {
	b := bucket(t)
	if err := errors.Join(probe.Start(t.Context(), b), probe.Write(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
	if !probe.Run(t.Context(), b, func(r probe.Result) {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Name, r.Err)
		}
	}) {
		t.Error("it will not do")
	}
	for e, err := range b.List(t.Context(), "") {
		t.Errorf("left %s, %v", e.Key, err)
	}
}

// lax ignores conditions.
type lax struct{ storage.Bucket }

func (b lax) Put(ctx context.Context, key string, body io.Reader, size int64, _ storage.Condition) (storage.Version, error) {
	return b.Bucket.Put(ctx, key, body, size, storage.Condition{})
}

// What a store lacks is told apart from a store that is away.
func TestUnfitIsNotAway(t *testing.T) {
	if err := probe.Start(t.Context(), lax{bucket(t)}); !errors.Is(err, probe.ErrUnfit) {
		t.Errorf("Start on a store without conditions = %v", err)
	}
	away := &storagetest.Faulty{Bucket: bucket(t), Fail: func(int, string, string) storagetest.Fault { return storagetest.Refused }}
	if err := probe.Start(t.Context(), away); err == nil || errors.Is(err, probe.ErrUnfit) {
		t.Errorf("Start on a store that is away = %v", err)
	}
	if err := probe.Write(t.Context(), away); err == nil {
		t.Error("Write to a store that is away succeeded")
	}
}
