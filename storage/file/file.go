// Package file is a storage.Bucket in a directory of one machine, safe for any
// number of processes on it.
//
// An object is a file under its key. It is written beside the objects, synced,
// and renamed into place, so a crash at any moment leaves the old object or the
// new one. Conditions are checked under an operating-system lock that a dead
// process releases and a stopped one loses (see lock).
package file

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"polyid-trainer/storage"
	"polyid-trainer/storage/atomicfile"
)

const (
	private = ".bucket"      // holds what is not an object: locks and files being written
	stale   = 24 * time.Hour // age at which a file being written belongs to no living writer
	shards  = 64             // of locks; keys share them by hash, which costs only waiting

	remembered = 4096 // directories known to be durable; forgetting one costs a sync
)

// Bucket stores objects under a directory. A key cannot be both an object and
// the directory of another ("a" beside "a/b").
type Bucket struct {
	root         string
	local        [shards]chan struct{} // locks within this process
	stoppedAfter time.Duration
	durable      *lru.Cache[string, struct{}] // directories known to be synced as entries of their parents
}

var _ storage.Bucket = (*Bucket)(nil)

// Open makes the directory where needed and clears what crashed writers left.
func Open(root string) (*Bucket, error) {
	durable, err := lru.New[string, struct{}](remembered)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	b := &Bucket{root: root, stoppedAfter: stoppedAfter, durable: durable}
	for i := range b.local {
		b.local[i] = make(chan struct{}, 1)
	}
	for _, dir := range []string{b.temp(), b.locks()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("open storage: %w", err)
		}
	}
	if err := b.clear(); err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	return b, nil
}

// clear removes what crashed writers left, before a commit or on its way.
func (b *Bucket) clear() error {
	inside := os.DirFS(filepath.Join(b.root, private))
	for _, pattern := range []string{"writing/*", "turns/*/*"} {
		left, err := fs.Glob(inside, pattern)
		if err != nil {
			return err
		}
		for _, path := range left {
			info, err := fs.Stat(inside, path)
			if err != nil || filepath.Base(path) == lockName || time.Since(info.ModTime()) < stale {
				continue // or another process clears the same
			}
			if err := os.RemoveAll(filepath.Join(b.root, private, path)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Bucket) temp() string { return filepath.Join(b.root, private, "writing") }

// locks is where the locks are, under the name that every version has used: two
// versions may share the directory for a while.
func (b *Bucket) locks() string { return filepath.Join(b.root, private, "turns") }

// path is where key's object lies.
func (b *Bucket) path(key string) (string, error) {
	if err := storage.CheckKey(key); err != nil {
		return "", err
	}
	if first, _, _ := strings.Cut(key, "/"); first == private {
		return "", fmt.Errorf("storage key %q is reserved", key)
	}
	return filepath.Join(b.root, filepath.FromSlash(key)), nil
}

// Put implements storage.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (storage.Version, error) {
	path, err := b.path(key)
	if err != nil {
		return "", err
	}
	temp, version, err := b.write(ctx, body, size)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, full(err))
	}
	defer os.Remove(temp) // gone already if it was renamed

	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("put %s: %w", key, full(err))
	}
	if err := b.swap(ctx, key, temp, path, cond); err != nil {
		return "", fmt.Errorf("put %s: %w", key, full(err))
	}
	if err := b.makeDurable(dir); err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	return version, nil
}

// full makes storage.ErrFull of an error of a disk that is full.
func full(err error) error {
	if atomicfile.IsFull(err) {
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	return err
}

// swap renames temp to path if cond holds. Nothing that waits for the disk
// happens under the lock: a process that is stopped there excludes others for a
// while.
func (b *Bucket) swap(ctx context.Context, key, temp, path string, cond storage.Condition) error {
	l, err := b.lock(ctx, key)
	if err != nil {
		return err
	}
	defer l.release()
	if err := check(path, cond); err != nil {
		return err
	}
	return l.commit(temp, path)
}

// write copies body to a new synced file beside the objects.
func (b *Bucket) write(ctx context.Context, body io.Reader, size int64) (path string, v storage.Version, err error) {
	hash := sha256.New()
	path, err = atomicfile.Write(b.temp(), "", 0o600, func(w io.Writer) error {
		n, err := io.Copy(io.MultiWriter(w, hash), contextReader{ctx, body})
		if err == nil && n != size {
			err = fmt.Errorf("body has %d bytes, not the %d announced", n, size)
		}
		return err
	})
	return path, version(hash.Sum(nil)), err
}

// check reports ErrConflict unless cond holds for the object at path.
func check(path string, cond storage.Condition) error {
	want, conditional := cond.Match()
	if !conditional && !cond.Absent() {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if cond.Absent() {
			return nil
		}
		return storage.ErrConflict
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if cond.Absent() {
		return storage.ErrConflict
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	have, err := hashFile(f, info.Size())
	if err != nil {
		return err
	}
	if have != want {
		return storage.ErrConflict
	}
	return nil
}

// makeDurable syncs a directory into which an object was renamed.
func (b *Bucket) makeDurable(dir string) error {
	var syncing errgroup.Group
	syncing.Go(func() error { return atomicfile.SyncDir(dir) })
	// A directory made just now, by us or another, is an entry of its parent. One
	// that has been synced there once stays: directories are not removed.
	var made []string
	for d := dir; len(d) > len(b.root); d = filepath.Dir(d) {
		if _, ok := b.durable.Get(d); ok {
			break
		}
		syncing.Go(func() error { return atomicfile.SyncDir(filepath.Dir(d)) })
		made = append(made, d)
	}
	if err := syncing.Wait(); err != nil {
		return err
	}
	for _, d := range made {
		b.durable.Add(d, struct{}{})
	}
	return nil
}

// Get implements storage.Bucket. Its cost does not depend on the object's size.
func (b *Bucket) Get(_ context.Context, key string) (*storage.Object, error) {
	path, err := b.path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, notExist(err))
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = storage.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return &storage.Object{
		ReadCloser: f,
		Entry:      storage.Entry{Key: key, Size: info.Size(), Modified: info.ModTime()},
		// A file that was renamed into place never changes.
		Version: func() (storage.Version, error) { return hashFile(f, info.Size()) },
	}, nil
}

// List implements storage.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		b.walk(ctx, "", prefix, yield)
	}
}

// walk yields the objects below the directory dir ("" or "a/b/") and reports
// whether the caller wants more.
func (b *Bucket) walk(ctx context.Context, dir, prefix string, yield func(storage.Entry, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(storage.Entry{}, err)
		return false
	}
	entries, err := os.ReadDir(filepath.Join(b.root, filepath.FromSlash(dir)))
	if errors.Is(err, fs.ErrNotExist) {
		return true // deleted while we listed
	}
	if err != nil {
		yield(storage.Entry{}, fmt.Errorf("list %s: %w", prefix, err))
		return false
	}
	name := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/" // as it stands in keys, so that they come in byte order
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return cmp.Compare(name(x), name(y)) })
	for _, e := range entries {
		key := dir + name(e)
		if key == private+"/" {
			continue
		}
		if e.IsDir() {
			// Descend only where keys with the prefix can lie.
			if strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key) {
				if !b.walk(ctx, key, prefix, yield) {
					return false
				}
			}
			continue
		}
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			yield(storage.Entry{}, fmt.Errorf("list %s: %w", prefix, err))
			return false
		}
		if !yield(storage.Entry{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil) {
			return false
		}
	}
	return true
}

// Delete implements storage.Bucket. Directories stay: removing one would race
// with a Put into it. A process that was stopped within it deletes what is there
// when it goes on, as if it had been called then.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	path, err := b.path(key)
	if err != nil {
		return err
	}
	l, err := b.lock(ctx, key)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	err = os.Remove(path)
	l.release()
	if err != nil {
		if errors.Is(notExist(err), storage.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// hashFile hashes a file, wherever its reader is.
func hashFile(f io.ReaderAt, size int64) (storage.Version, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(f, 0, size)); err != nil {
		return "", err
	}
	return version(hash.Sum(nil)), nil
}

func version(sum []byte) storage.Version { return storage.Version(hex.EncodeToString(sum)) }

func notExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return storage.ErrNotExist
	}
	return err
}

// contextReader stops a copy when ctx ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
