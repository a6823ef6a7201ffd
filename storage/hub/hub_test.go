package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

const token = "hf_secretsecret"

// serve starts a Hub under /hub; front, if given, stands before it.
func serve(t *testing.T, c hubserver.Config, front func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	c.Dir, c.Prefix = t.TempDir(), "/hub"
	h, err := hubserver.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = h
	if front != nil {
		handler = front(h)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, s *httptest.Server, token string) *hub.Client {
	t.Helper()
	c, err := hub.New(hub.Config{
		Endpoint: s.URL + "/hub", Token: token, CacheDir: t.TempDir(), Client: s.Client(), Backoff: time.Microsecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noise is content that no compression or guess shortens.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func publish(t *testing.T, c *hub.Client, repo, parent string, files ...hub.File) string {
	t.Helper()
	commit, err := c.Commit(t.Context(), repo, "main", hub.Commit{Summary: "publish", Description: "more", Parent: parent, Add: files})
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func create(t *testing.T, c *hub.Client, repo string) {
	t.Helper()
	if err := c.CreateRepo(t.Context(), repo, true); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	ctx := t.Context()
	c := client(t, serve(t, hubserver.Config{Tokens: []hubserver.Token{{Name: "anna", Secret: token}}}, nil), token)
	create(t, c, "acme/tg")
	if err := c.CreateRepo(ctx, "acme/tg", true); !errors.Is(err, hub.ErrExists) {
		t.Fatalf("second CreateRepo: %v, want ErrExists", err)
	}
	if user, err := c.User(ctx); err != nil || user != "polyid" {
		t.Fatalf("User = %q, %v", user, err)
	}
	want := map[string][]byte{
		"README.md":               []byte("# Tg\n"),
		"empty.txt":               {},
		"folds/0.safetensors":     noise(3 << 20),
		"folds/deep/α β+%.json":   []byte(`{"k":1}`),
		"folds/small.safetensors": []byte("tiny"),
	}
	var files []hub.File
	for p, b := range want {
		files = append(files, hub.Bytes(p, b))
	}
	first := publish(t, c, "acme/tg", "", files...)
	if err := c.CreateTag(ctx, "acme/tg", "main", "v1.0.0", "stable"); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateTag(ctx, "acme/tg", "main", "v1.0.0", ""); !errors.Is(err, hub.ErrExists) {
		t.Fatalf("second CreateTag: %v, want ErrExists", err)
	}
	if err := c.CreateBranch(ctx, "acme/tg", "dev/one", "v1.0.0"); err != nil {
		t.Fatal(err)
	}
	second, err := c.Commit(ctx, "acme/tg", "main", hub.Commit{Summary: "prune", Parent: first, Delete: []string{"folds/", "empty.txt"}})
	if err != nil {
		t.Fatal(err)
	}
	refs, err := c.Refs(ctx, "acme/tg")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range append(refs.Branches, refs.Tags...) {
		got[r.Ref] = r.Commit
	}
	for ref, commit := range map[string]string{"refs/heads/main": second, "refs/heads/dev/one": first, "refs/tags/v1.0.0": first} {
		if got[ref] != commit {
			t.Errorf("%s is at %s, want %s", ref, got[ref], commit)
		}
	}
	for _, rev := range []string{"v1.0.0", "dev/one", first} {
		s, err := c.Snapshot(ctx, "acme/tg", rev, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", rev, err)
		}
		if s.Commit != first || len(s.Files) != len(want)+1 { // and .gitattributes
			t.Fatalf("%s: commit %s with %d files", rev, s.Commit, len(s.Files))
		}
		for p, b := range want {
			have, err := os.ReadFile(filepath.Join(s.Dir, filepath.FromSlash(p)))
			if err != nil || !bytes.Equal(have, b) {
				t.Errorf("%s: %s differs: %v", rev, p, err)
			}
		}
	}
	m, err := c.Model(ctx, "acme/tg", "main")
	if err != nil || m.Commit != second || !m.Private || len(m.Files) != 2 {
		t.Errorf("Model = %+v, %v", m, err)
	}
	if err := c.DeleteBranch(ctx, "acme/tg", "dev/one"); err != nil {
		t.Error(err)
	}
	if err := c.DeleteTag(ctx, "acme/tg", "v1.0.0"); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"deleted branch": failure(c.Model(ctx, "acme/tg", "dev/one")),
		"deleted tag":    failure(c.Model(ctx, "acme/tg", "v1.0.0")),
	} {
		if !errors.Is(err, hub.ErrRevisionNotFound) {
			t.Errorf("%s: %v, want ErrRevisionNotFound", what, err)
		}
	}
	if _, err := c.Download(ctx, "acme/tg", "main", "nope", nil); !errors.Is(err, hub.ErrEntryNotFound) {
		t.Errorf("missing file: %v, want ErrEntryNotFound", err)
	}
	if err := c.DeleteRepo(ctx, "acme/tg"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Model(ctx, "acme/tg", "main"); !errors.Is(err, hub.ErrRepoNotFound) {
		t.Errorf("deleted repository: %v, want ErrRepoNotFound", err)
	}
}

func failure[T any](_ T, err error) error { return err }

// TestRace commits twice on one parent at once: one wins, the other learns of it.
func TestRace(t *testing.T) {
	c := client(t, serve(t, hubserver.Config{}, nil), "")
	create(t, c, "acme/tg")
	head := publish(t, c, "acme/tg", "", hub.Bytes("a", []byte("0")))
	for round := range 5 {
		const n = 4
		var wg sync.WaitGroup
		commits, errs := make([]string, n), make([]error, n)
		for i := range n {
			wg.Go(func() {
				content := []byte{byte('a' + round), byte('a' + i)}
				commits[i], errs[i] = c.Commit(t.Context(), "acme/tg", "main", hub.Commit{
					Summary: "race", Parent: head, Add: []hub.File{hub.Bytes("a", content), hub.Bytes("b", content)},
				})
			})
		}
		wg.Wait()
		winner := ""
		for i := range n {
			switch {
			case errs[i] == nil && winner == "":
				winner = commits[i]
			case errs[i] == nil:
				t.Fatal("two commits won")
			case !errors.Is(errs[i], hub.ErrConflict):
				t.Fatalf("the loser's error is %v, want ErrConflict", errs[i])
			}
		}
		s, err := c.Snapshot(t.Context(), "acme/tg", "main", nil, nil)
		if err != nil || s.Commit != winner {
			t.Fatalf("main is at %v (%v), the winner is %s", s, err, winner)
		}
		a, _ := os.ReadFile(filepath.Join(s.Dir, "a"))
		b, _ := os.ReadFile(filepath.Join(s.Dir, "b"))
		if !bytes.Equal(a, b) || len(a) != 2 {
			t.Fatalf("mixed revision: a is %q, b is %q", a, b)
		}
		head = winner
	}
}

// TestResume lets the first download break off in the middle: the second
// request continues there, and what arrives is whole.
func TestResume(t *testing.T) {
	var ranges atomic.Pointer[[]string]
	ranges.Store(new([]string))
	s := serve(t, hubserver.Config{}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/resolve/") {
				seen := append(*ranges.Load(), r.Header.Get("Range"))
				ranges.Store(&seen)
				if len(seen) == 1 {
					w = &breaking{w, 1 << 20}
				}
			}
			h.ServeHTTP(w, r)
		})
	})
	c := client(t, s, "")
	create(t, c, "acme/tg")
	want := noise(2 << 20)
	commit := publish(t, c, "acme/tg", "", hub.Bytes("a.bin", want))
	var last int64
	name, err := c.Download(t.Context(), "acme/tg", commit, "a.bin", func(_ string, done, total int64) {
		if done < last || total != int64(len(want)) {
			t.Errorf("progress went from %d to %d of %d", last, done, total)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) || last != int64(len(want)) {
		t.Fatalf("the file differs, progress ended at %d: %v", last, err)
	}
	if seen := *ranges.Load(); len(seen) != 2 || seen[0] != "" || !strings.HasPrefix(seen[1], "bytes=") {
		t.Fatalf("ranges asked for: %q", seen)
	}
}

// breaking ends the connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// TestLyingHub refuses content that is not what the tree says, and keeps none of it.
func TestLyingHub(t *testing.T) {
	var lie atomic.Bool
	s := serve(t, hubserver.Config{}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lie.Load() && strings.Contains(r.URL.Path, "/resolve/") {
				w.Write([]byte("other"))
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	c := client(t, s, "")
	create(t, c, "acme/tg")
	publish(t, c, "acme/tg", "", hub.Bytes("a", []byte("truth")), hub.Bytes("b.bin", []byte("truth")))
	for _, path := range []string{"a", "b.bin"} {
		lie.Store(true)
		if _, err := c.Download(t.Context(), "acme/tg", "main", path, nil); !errors.Is(err, hub.ErrCorrupt) {
			t.Fatalf("%s: %v, want ErrCorrupt", path, err)
		}
		lie.Store(false)
		name, err := c.Download(t.Context(), "acme/tg", "main", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(name); string(got) != "truth" {
			t.Fatalf("%s is %q", path, got)
		}
	}
}

// TestAway answers from the cache while the Hub is away, and says so.
func TestAway(t *testing.T) {
	s := serve(t, hubserver.Config{}, nil)
	c := client(t, s, "")
	create(t, c, "acme/tg")
	commit := publish(t, c, "acme/tg", "", hub.Bytes("a", []byte("x")), hub.Bytes("b", []byte("y")))
	onlyA := func(e hub.Entry) bool { return e.Path == "a" }
	if snap, err := c.Snapshot(t.Context(), "acme/tg", "main", onlyA, nil); err != nil || snap.Stale {
		t.Fatalf("%+v, %v", snap, err)
	}
	s.Close()
	snap, err := c.Snapshot(t.Context(), "acme/tg", "main", onlyA, nil)
	if err != nil || !snap.Stale || snap.Commit != commit {
		t.Fatalf("while the Hub is away: %+v, %v", snap, err)
	}
	if _, err := c.Snapshot(t.Context(), "acme/tg", "main", nil, nil); !errors.Is(err, hub.ErrUnavailable) {
		t.Fatalf("what is not cached: %v, want ErrUnavailable", err)
	}
	if _, err := c.Snapshot(t.Context(), "acme/tg", "dev", nil, nil); !errors.Is(err, hub.ErrUnavailable) {
		t.Fatalf("a revision never seen: %v, want ErrUnavailable", err)
	}
}

// TestSlow gives up on a Hub that stops in the middle of something, goes on where
// it stopped, and answers from the cache while the Hub says nothing at all.
func TestSlow(t *testing.T) {
	content := noise(1 << 20)
	var hang atomic.Pointer[string] // what the address holds of requests that get half of an answer, or none
	var from atomic.Pointer[string] // the first range that was asked for
	s := serve(t, hubserver.Config{}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked := r.Header.Get("Range"); asked != "" {
				from.CompareAndSwap(nil, &asked)
			}
			part := hang.Load()
			if part == nil || !strings.Contains(r.URL.Path, *part) {
				h.ServeHTTP(w, r)
				return
			}
			if strings.Contains(r.URL.Path, "/resolve/") {
				hang.Store(nil) // once
				w.Header().Set("Content-Length", strconv.Itoa(len(content)))
				w.Write(content[:len(content)/2])
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		})
	})
	patient := client(t, s, "")
	create(t, patient, "acme/tg")
	commit := publish(t, patient, "acme/tg", "", hub.Bytes("a", content))
	// On a busy machine more may stall than is meant to.
	c, err := hub.New(hub.Config{Endpoint: s.URL + "/hub", CacheDir: t.TempDir(), Retries: 20, Backoff: time.Millisecond, Stall: time.Second, Patience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	resolve, api := "/resolve/", "/api/"
	hang.Store(&resolve)
	name, err := c.Download(t.Context(), "acme/tg", "main", "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes that are not those uploaded, %v", len(got), err)
	}
	if got, want := from.Load(), fmt.Sprintf("bytes=%d-", len(content)/2); got == nil || *got != want {
		t.Errorf("after the stall it did not ask for %q", want)
	}
	hang.Store(&api)
	snap, err := c.Snapshot(t.Context(), "acme/tg", "main", nil, nil)
	if err != nil || !snap.Stale || snap.Commit != commit {
		t.Fatalf("while the Hub says nothing: %+v, %v", snap, err)
	}
	c, err = hub.New(hub.Config{Endpoint: s.URL + "/hub", CacheDir: t.TempDir(), Retries: -1, Stall: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Refs(t.Context(), "acme/tg"); !errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "nothing came or went for 1s") {
		t.Errorf("a request that gets no answer: %v", err)
	}
}

// TestErrors holds that no error shows the token, even one that the server
// repeats, and that failures are repeated only where that is safe.
func TestErrors(t *testing.T) {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("X-Error-Message", "no "+r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer s.Close()
	c := client(t, s, token)
	_, err := c.Refs(t.Context(), "acme/tg")
	if !errors.Is(err, hub.ErrUnavailable) || strings.Contains(err.Error(), token) || calls.Load() != 5 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
	calls.Store(0)
	if err := c.CreateRepo(t.Context(), "acme/tg", true); !errors.Is(err, hub.ErrUnavailable) || calls.Load() != 1 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Refs(cancelled, "acme/tg"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, repo := range []string{"", "a", "../x", "a/..", "a/b/c", "a/b.git", "-a/b"} {
		if err := c.CreateRepo(t.Context(), repo, true); err == nil {
			t.Errorf("repository %q passes", repo)
		}
	}
	for _, path := range []string{"", ".", "../x", "/x", "a//b", "a/../b", ".git/config", "a/.GIT/x", `..\b`, "a\nb"} {
		if hub.CheckPath(path) == nil {
			t.Errorf("path %q passes", path)
		}
	}
}

// TestAccess holds who may do what when there are tokens.
func TestAccess(t *testing.T) {
	s := serve(t, hubserver.Config{Tokens: []hubserver.Token{{Name: "anna", Secret: token}}}, nil)
	owner, nobody, wrong := client(t, s, token), client(t, s, ""), client(t, s, "hf_wrong")
	create(t, owner, "acme/secret")
	if err := owner.CreateRepo(t.Context(), "acme/open", false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*hub.Client{nobody, wrong} {
		if _, err := c.Model(t.Context(), "acme/secret", "main"); !errors.Is(err, hub.ErrRepoNotFound) {
			t.Errorf("private: %v", err)
		}
		if _, err := c.Model(t.Context(), "acme/open", "main"); err != nil {
			t.Errorf("public: %v", err)
		}
		_, err := c.Commit(t.Context(), "acme/open", "main", hub.Commit{Summary: "x", Add: []hub.File{hub.Bytes("a", []byte("b"))}})
		if !errors.Is(err, hub.ErrUnauthorized) {
			t.Errorf("commit: %v", err)
		}
		if _, err := c.User(t.Context()); !errors.Is(err, hub.ErrUnauthorized) {
			t.Errorf("whoami: %v", err)
		}
	}
}

// TestTokenStays holds that the token does not follow a redirect to another host.
func TestTokenStays(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(leaked.Load() || r.Header.Get("Authorization") != "")
		io.WriteString(w, "{}")
	}))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusFound))
	defer s.Close()
	if _, err := client(t, s, token).Refs(t.Context(), "acme/tg"); err != nil {
		t.Fatal(err)
	}
	if leaked.Load() {
		t.Error("the token went to another host")
	}
}
