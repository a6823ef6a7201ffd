package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
)

func TestBucket(t *testing.T) {
	storagetest.Exercise(t, func(t *testing.T) storage.Bucket { return open(t, t.TempDir()) })
}

func open(t *testing.T, root string) *file.Bucket {
	t.Helper()
	b, err := file.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Opening clears what a crashed writer left, but not what another process is
// writing now.
func TestOpenClearsStaleFiles(t *testing.T) {
	root := t.TempDir()
	open(t, root)
	old, fresh := filepath.Join(root, ".bucket", "writing", "old"), filepath.Join(root, ".bucket", "writing", "fresh")
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	open(t, root)
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("a two days old file is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a file being written is gone: %v", err)
	}
}

// A failed Put leaves no file behind.
func TestFailedPutLeavesNothing(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	if _, err := b.Put(t.Context(), "k", strings.NewReader("short"), 99, storage.Condition{}); err == nil {
		t.Fatal("Put of a short body succeeded")
	}
	entries, err := os.ReadDir(filepath.Join(root, ".bucket", "writing"))
	if err != nil || len(entries) > 0 {
		t.Errorf("%d files left, error %v", len(entries), err)
	}
}

func TestReservedKey(t *testing.T) {
	b := open(t, t.TempDir())
	if _, err := b.Put(t.Context(), ".bucket/locks/00", strings.NewReader(""), 0, storage.Condition{}); err == nil {
		t.Error("Put among the bucket's own files succeeded")
	}
}

// A writer that another process keeps out, for one that was stopped in the
// middle, gives up when it is told to.
func TestKeptOut(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	var locks []*flock.Flock
	for i := range 64 {
		l := flock.New(filepath.Join(root, ".bucket", "locks", fmt.Sprintf("%02d", i)))
		if err := l.Lock(); err != nil {
			t.Fatal(err)
		}
		locks = append(locks, l)
	}
	put := func(ctx context.Context) error {
		_, err := b.Put(ctx, "a/k", strings.NewReader("x"), 1, storage.Condition{})
		return err
	}
	for name, do := range map[string]func(context.Context) error{
		"Put": put, "Delete": func(ctx context.Context) error { return b.Delete(ctx, "a/k") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the end of its time", name, err)
		}
		cancel()
	}
	for _, l := range locks {
		l.Close()
	}
	if err := put(t.Context()); err != nil {
		t.Error(err)
	}
}
