package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Progress hears how many bytes of a file are here; total is the file's size.
type Progress func(path string, done, total int64)

// key names the content of e in the cache.
func (e Entry) key() string {
	if e.SHA256 != "" {
		return "sha256-" + e.SHA256
	}
	return "git-" + e.Blob
}

// hasher returns the hash that names e, having read what goes before the content.
func (e Entry) hasher() (h hash.Hash, want string) {
	if e.SHA256 != "" {
		return sha256.New(), e.SHA256
	}
	h = sha1.New()
	fmt.Fprintf(h, "blob %d\x00", e.Size)
	return h, e.Blob
}

// blob returns the cached content of e, downloading it first if it is not
// there. A file under its key was verified before it got that name. Processes
// that share the cache wait for one another.
func (c *Client) blob(ctx context.Context, repo, commit string, e Entry, progress Progress) (string, error) {
	name := filepath.Join(c.cache, "blobs", e.key())
	if cached(name, e.Size) {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", fmt.Errorf("hub: cache: %w", err)
	}
	lock := flock.New(name + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("hub: cache: %w", err)
	}
	defer lock.Unlock()
	if cached(name, e.Size) {
		return name, nil
	}
	part := name + ".part"
	refetched := false // what does not match its hash is fetched anew once, from the start
	if err := c.retry(ctx, func(err error) bool {
		if errors.Is(err, ErrCorrupt) && !refetched {
			refetched = true
			return true
		}
		return errors.Is(err, ErrUnavailable) // a connection that breaks off continues where it was
	}, func() error { return c.fetch(ctx, repo, commit, e, part, progress) }); err != nil {
		return "", err
	}
	if err := os.Rename(part, name); err != nil {
		return "", fmt.Errorf("hub: cache: %w", err)
	}
	return name, nil
}

func cached(name string, size int64) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// fetch completes the file part with the content of e and verifies it. It
// removes a part that turns out wrong.
func (c *Client) fetch(ctx context.Context, repo, commit string, e Entry, part string, progress Progress) (err error) {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("hub: cache: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if errors.Is(err, ErrCorrupt) {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	h, want := e.hasher()
	have, err := io.Copy(h, f)
	if err != nil {
		return fmt.Errorf("hub: cache: %w", err)
	}
	if have > e.Size {
		return fmt.Errorf("hub: %s: %w: the cache holds more than the whole", e.Path, ErrCorrupt)
	}
	if have < e.Size {
		body, from, err := c.open(ctx, repo, commit, e.Path, have)
		if err != nil {
			return err
		}
		defer body.Close()
		if from == 0 && have > 0 {
			h, _ = e.hasher()
			have = 0
			if err := f.Truncate(0); err != nil {
				return fmt.Errorf("hub: cache: %w", err)
			}
		}
		if _, err := f.Seek(have, io.SeekStart); err != nil {
			return fmt.Errorf("hub: cache: %w", err)
		}
		w := &counter{path: e.Path, done: have, total: e.Size, report: progress, w: io.MultiWriter(f, h)}
		if _, err := io.Copy(w, io.LimitReader(body, e.Size-have)); err != nil {
			if w.failed {
				return fmt.Errorf("hub: cache: %w", err)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("hub: %s: %w: broke off at byte %d of %d: %s", e.Path, ErrUnavailable, w.done, e.Size, c.redact(err.Error()))
		}
		if w.done < e.Size {
			return fmt.Errorf("hub: %s: %w: ended at byte %d of %d", e.Path, ErrUnavailable, w.done, e.Size)
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("hub: %s: %w: %s instead of %s", e.Path, ErrCorrupt, got, want)
	}
	return f.Sync()
}

// open requests a file from byte from on and returns the byte the answer
// begins with: from or, from a server that does not do ranges, 0.
func (c *Client) open(ctx context.Context, repo, commit, path string, from int64) (io.ReadCloser, int64, error) {
	address := c.base.String() + "/" + repo + "/resolve/" + commit
	for s := range strings.SplitSeq(path, "/") {
		address += "/" + url.PathEscape(s)
	}
	header := http.Header{"Accept-Encoding": {"identity"}}
	if from > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
	}
	resp, err := c.do(ctx, request{method: http.MethodGet, url: address, header: header})
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusPartialContent {
		return resp.Body, 0, nil
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(from, 10)+"-") {
		resp.Body.Close()
		return nil, 0, fmt.Errorf("hub: %s: %w: the answer is another range", path, ErrCorrupt)
	}
	return resp.Body, from, nil
}

// counter reports what passes through it.
type counter struct {
	w           io.Writer
	path        string
	done, total int64
	report      Progress
	failed      bool // a write failed, not the connection
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.done += int64(n)
	c.failed = err != nil
	if c.report != nil {
		c.report(c.path, c.done, c.total)
	}
	return n, err
}
