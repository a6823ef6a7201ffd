//go:build unix

package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/storage"
	"polyid-trainer/storage/storagetest"
)

// A Put for which there is no room, wherever that shows, says so, leaves the old
// object and nothing else, and succeeds once there is room.
func TestFullDisk(t *testing.T) {
	if !storagetest.OwnProcess(t) {
		return
	}
	root := t.TempDir()
	b := open(t, root)
	put := func(key, body string, cond storage.Condition) error {
		_, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), cond)
		return err
	}
	old, new1 := strings.Repeat("old", 20_000), strings.Repeat("new", 30_000)
	if err := put("a/x", old, storage.Condition{}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{0, 1, 100, 4096, 32<<10 - 1, 32 << 10, 89_999} {
		release := storagetest.Room(t, n)
		for key, cond := range map[string]storage.Condition{"a/x": {}, "new/folder/y": storage.IfAbsent()} {
			if err := put(key, new1, cond); !errors.Is(err, storage.ErrFull) {
				t.Errorf("room for %d bytes: put %s: %v", n, key, err)
			}
		}
		r := &storage.Retry{Bucket: b}
		if _, err := r.Put(t.Context(), "a/x", strings.NewReader(new1), int64(len(new1)), storage.Condition{}); !errors.Is(err, storage.ErrFull) {
			t.Errorf("room for %d bytes: with retries: %v", n, err)
		}
		o, err := b.Get(t.Context(), "a/x")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(o)
		o.Close()
		if err != nil || !bytes.Equal(got, []byte(old)) {
			t.Errorf("room for %d bytes: the old object is %d bytes, %v", n, len(got), err)
		}
		if _, err := b.Get(t.Context(), "new/folder/y"); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("room for %d bytes: the new object: %v", n, err)
		}
		if left := files(t, filepath.Join(root, ".bucket", "writing")); len(left) > 0 {
			t.Errorf("room for %d bytes: %q are left", n, left)
		}
		release()
		if err := put(fmt.Sprint("b/", n), new1, storage.IfAbsent()); err != nil {
			t.Errorf("there is room again after %d bytes: %v", n, err)
		}
	}
}

func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}
