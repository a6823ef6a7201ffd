package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

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

// Get of a sparse file that would take minutes to hash returns at once, and so
// does a read of its beginning.
func TestGetReadsOnlyWhatIsAsked(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	const size = 1 << 40
	f, err := os.Create(filepath.Join(root, "large"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	o, err := b.Get(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := io.ReadFull(o, make([]byte, 16)); err != nil || o.Size != size {
		t.Errorf("size %d, %v", o.Size, err)
	}
}

func TestReservedKey(t *testing.T) {
	b := open(t, t.TempDir())
	if _, err := b.Put(t.Context(), ".bucket/turns/00/lock", strings.NewReader(""), 0, storage.Condition{}); err == nil {
		t.Error("Put among the bucket's own files succeeded")
	}
}

// A writer that waits for another process gives up when its context ends.
func TestWaitEnds(t *testing.T) {
	root := t.TempDir()
	b, other := open(t, root), open(t, root)
	b.SetStoppedAfter(time.Hour)
	lock, err := other.Lock(t.Context(), "a/k")
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context) error{
		"Put":    func(ctx context.Context) error { return put(ctx, b, "x", storage.Condition{}) },
		"Delete": func(ctx context.Context) error { return b.Delete(ctx, "a/k") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the end of its time", name, err)
		}
		cancel()
	}
	lock.Release()
	if err := put(t.Context(), b, "x", storage.Condition{}); err != nil {
		t.Error(err)
	}
}

func put(ctx context.Context, b *file.Bucket, body string, cond storage.Condition) error {
	_, err := b.Put(ctx, "a/k", strings.NewReader(body), int64(len(body)), cond)
	return err
}

// A process that is stopped in the middle of a write keeps nobody out for long,
// and when it goes on it overwrites nothing, wherever it was.
func TestStoppedWriter(t *testing.T) {
	for _, where := range []string{"before it staged", "before it committed"} {
		t.Run(where, func(t *testing.T) {
			root := t.TempDir()
			b, stopped := open(t, root), open(t, root)
			first, err := b.Put(t.Context(), "a/k", strings.NewReader("first"), 5, storage.IfAbsent())
			if err != nil {
				t.Fatal(err)
			}
			// What the stopped one has done: written its body, and found what it expects.
			lock, err := stopped.Lock(t.Context(), "a/k")
			if err != nil {
				t.Fatal(err)
			}
			temp := filepath.Join(root, ".bucket", "writing", "its")
			if err := os.WriteFile(temp, []byte("stale"), 0o644); err != nil {
				t.Fatal(err)
			}
			staged := filepath.Join(lock.Dir(), "its")
			if where == "before it committed" {
				if err := os.Rename(temp, staged); err != nil {
					t.Fatal(err)
				}
			}
			b.SetStoppedAfter(10 * time.Millisecond)
			if err := put(t.Context(), b, "second", storage.IfMatch(first)); err != nil {
				t.Fatalf("while another is stopped: %v", err)
			}
			if where == "before it committed" {
				err = os.Rename(staged, filepath.Join(root, "a", "k")) // all that was left to do
			} else {
				err = lock.Commit(temp, filepath.Join(root, "a", "k"))
			}
			if err == nil {
				t.Error("it went on")
			}
			lock.Release()
			if got, err := os.ReadFile(filepath.Join(root, "a", "k")); string(got) != "second" {
				t.Errorf("the object is %q, %v", got, err)
			}
			// It does better the next time.
			if err := put(t.Context(), stopped, "third", storage.IfMatch(first)); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("tried again: %v", err)
			}
			left, err := filepath.Glob(filepath.Join(root, ".bucket", "turns", "*", "its"))
			if err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// However often the locks of writers are broken, no write is lost.
func TestBrokenLocks(t *testing.T) {
	root := t.TempDir()
	const writers, each = 4, 50
	if err := put(t.Context(), open(t, root), "0", storage.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	add := func(b storage.Bucket) error {
		for {
			o, err := b.Get(t.Context(), "a/k")
			if err != nil {
				return err
			}
			var n int
			_, err = fmt.Fscan(o, &n)
			v, unversioned := o.Version()
			if err = errors.Join(err, unversioned, o.Close()); err != nil {
				return err
			}
			body := strconv.Itoa(n + 1)
			_, err = b.Put(t.Context(), "a/k", strings.NewReader(body), int64(len(body)), storage.IfMatch(v))
			switch {
			case errors.Is(err, file.ErrLockLost), errors.Is(err, storage.ErrConflict):
				continue
			}
			return err
		}
	}
	var group errgroup.Group
	for range writers {
		b := open(t, root)
		b.SetStoppedAfter(1) // breaks every lock that it has to wait for
		group.Go(func() error {
			for range each {
				if err := add(b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "a", "k")); string(got) != strconv.Itoa(writers*each) {
		t.Errorf("%d additions made %s, %v", writers*each, got, err)
	}
}
