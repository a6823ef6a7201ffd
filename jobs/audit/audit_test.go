package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

// clock can be set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) set(s string) {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// failing refuses to write while it is told to.
type failing struct {
	storage.Bucket
	now bool
}

func (f *failing) Put(ctx context.Context, key string, body io.Reader, size int64, c storage.Condition) (storage.Version, error) {
	if f.now {
		return "", storage.ErrUnavailable
	}
	return f.Bucket.Put(ctx, key, body, size, c)
}

func newLog(t *testing.T) (*Log, *failing, *clock) {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, c := &failing{Bucket: b}, &clock{}
	c.set("2026-01-31T23:59:00Z")
	return New(f, c.now, nil), f, c
}

func (l *Log) paths(t *testing.T, day string) (paths []string) {
	t.Helper()
	var b bytes.Buffer
	if err := l.Read(t.Context(), day, &b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		paths = append(paths, e.Path)
	}
	return paths
}

func keysOf(t *testing.T, b storage.Bucket) (keys []string) {
	t.Helper()
	for e, err := range b.List(t.Context(), "audit/") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, e.Key)
	}
	return keys
}

// Entries lie in the object of their day, one object for many writes; what storage
// did not take waits; days expire whole.
func TestDays(t *testing.T) {
	t.Parallel()
	l, b, c := newLog(t)
	add := func(path string) { l.Add(Entry{Time: c.now(), Token: "alice", Path: path}) }
	flush := func() {
		t.Helper()
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	add("/1")
	flush()
	add("/2")
	flush()
	add("/3")
	c.set("2026-02-01T00:00:01Z")
	add("/4")
	flush()
	if have := l.paths(t, "2026-01-31"); !slices.Equal(have, []string{"/1", "/2", "/3"}) {
		t.Errorf("January has %v", have)
	}
	if have := keysOf(t, b); len(have) != 2 || !strings.HasPrefix(have[0], "audit/2026-01-31/") || !strings.HasPrefix(have[1], "audit/2026-02-01/") {
		t.Errorf("objects %v", have)
	}
	b.now = true
	add("/5")
	if err := l.Flush(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("storage is away: %v", err)
	}
	add("/6")
	b.now = false
	if have := l.paths(t, "2026-02-01"); !slices.Equal(have, []string{"/4", "/5", "/6"}) {
		t.Errorf("February has %v", have)
	}
	if n, err := l.Expire(t.Context(), c.now()); n != 1 || err != nil {
		t.Errorf("expired %d, %v", n, err)
	}
	if have := l.paths(t, "2026-01-31"); len(have) != 0 {
		t.Errorf("January has %v", have)
	}
	for _, day := range []string{"", "2026-1-1", "../tokens", "2026-02-01/x"} {
		if err := l.Read(t.Context(), day, io.Discard); jobs.ErrorCode(err) != jobs.Invalid {
			t.Errorf("day %q: %v", day, err)
		}
	}
}

// Objects have a bounded size, and so has what waits for storage: what does not fit is
// counted.
func TestBounds(t *testing.T) {
	t.Parallel()
	l, b, c := newLog(t)
	long := "/" + strings.Repeat("x", 100_000)
	for range 25 {
		l.Add(Entry{Time: c.now(), Path: long})
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.at = c.at.Add(time.Millisecond)
		c.mu.Unlock()
	}
	if have := keysOf(t, b); len(have) != 3 {
		t.Errorf("2.5 MB lie in %d objects", len(have))
	}
	b.now = true
	for range 100 {
		l.Add(Entry{Time: c.now(), Path: long})
	}
	if l.waiting > maxPending {
		t.Errorf("%d bytes wait", l.waiting)
	}
	b.now = false
	var out bytes.Buffer
	if err := l.Read(t.Context(), "2026-01-31", &out); err != nil {
		t.Fatal(err)
	}
	lost := 100 - (maxPending / 100_100)
	if lines := strings.Count(out.String(), "\n"); lines != 25+100-lost+1 || !strings.Contains(out.String(), `"outcome":"lost","count":`) {
		t.Errorf("%d lines, want one that tells of about %d lost", lines, lost)
	}
}

// Many requests at once and a flush between them lose nothing.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	l, _, c := newLog(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				l.Add(Entry{Time: c.now(), Path: "/"})
				if err := l.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if have := len(l.paths(t, "2026-01-31")); have != 800 {
		t.Errorf("%d of 800 entries", have)
	}
}
