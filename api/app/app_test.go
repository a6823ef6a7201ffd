package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs/tokens"
	"polyid-trainer/storage/hub"
)

// start runs an App with a scratch directory until the test ends or stop is
// called, which returns what Run did.
func start(t *testing.T, c Config) (a *App, stop func() error) {
	t.Helper()
	if c.DataDir == "" {
		c.DataDir = t.TempDir()
	}
	c.Port = "0"
	a, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return a, stop
}

// What a failed upload left on the embedded Hub goes when it is old; what is
// young may still be committed.
func TestHubIsCollected(t *testing.T) {
	dir := t.TempDir()
	blob := func(first string, age time.Duration) string {
		oid := first + strings.Repeat("0", 64-len(first))
		name := filepath.Join(dir, "hub", "lfs", oid[:2], oid[2:4], oid)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("left"), 0o644); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
		return name
	}
	old, young := blob("aa", collectAge+time.Hour), blob("bb", time.Hour)
	start(t, Config{DataDir: dir})
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the old upload stays")
		}
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one: %v", err)
	}
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Everything embedded: it is ready, stops, and starts again in the same place.
func TestEmbedded(t *testing.T) {
	c := Config{DataDir: t.TempDir()}
	a, stop := start(t, c)
	if status, body := get(t, a.URL()+"/readyz"); status != 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := get(t, a.URL()+"/hub/api/models/no/such"); status != 404 {
		t.Errorf("the embedded Hub answers %d, want 404", status)
	}
	if _, err := New(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.DataDir) {
		t.Errorf("a second process in the same directory: %v", err)
	}
	if err := a.hub.CreateRepo(t.Context(), "polyid/mine", true); err != nil {
		t.Errorf("the process cannot use its own Hub: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	secret := a.secret
	again, _ := start(t, c)
	if again.secret != secret {
		t.Error("the webhook secret changed at a restart")
	}
	if status, _ := get(t, again.URL()+"/hub/api/models/polyid/mine"); status != 200 {
		t.Errorf("after a restart the Hub answers %d for what it held", status)
	}
}

// With tokens, the embedded Hub takes them, and the process' own work needs none
// of theirs.
func TestTokens(t *testing.T) {
	a, _ := start(t, Config{Secrets: Secrets{APITokens: []tokens.Stated{{Name: "anna", Secret: "anna-secret"}}}})
	if status, _ := get(t, a.URL()+"/v1/usage"); status != 401 {
		t.Errorf("without a token: %d, want 401", status)
	}
	if err := a.hub.CreateRepo(t.Context(), "polyid/mine", true); err != nil {
		t.Errorf("the process cannot use its own Hub: %v", err)
	}
	for token, want := range map[string]error{"anna-secret": nil, "guess": hub.ErrUnauthorized, "": hub.ErrUnauthorized} {
		c, err := hub.New(hub.Config{Endpoint: a.URL() + "/hub", Token: token, CacheDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.User(t.Context()); !errors.Is(err, want) {
			t.Errorf("Hub user with token %q: %v, want %v", token, err, want)
		}
	}
	browse := func(cookies []*http.Cookie) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/hub/polyid/mine", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, page := browse(nil); status != 401 || !strings.Contains(page, `href="/login?next=%2Fhub%2Fpolyid%2Fmine"`) || !strings.Contains(page, `id="main"`) {
		t.Errorf("a private repository in a browser that is not logged in: %d %s", status, page)
	}
	noRedirect := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := noRedirect.PostForm(a.URL()+"/login", url.Values{"token": {"anna-secret"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if status, page := browse(res.Cookies()); status != 200 || !strings.Contains(page, "Log out") || !strings.Contains(page, "README.md") {
		t.Errorf("the same, logged in: %d %s", status, page)
	}
	for _, f := range a.Facts() {
		if strings.Contains(f.Value, "secret") {
			t.Errorf("the facts show a secret: %s", f.Value)
		}
	}
}

// The inference role runs without Redis and worker, and is not ready without a
// model.
func TestInference(t *testing.T) {
	a, _ := start(t, Config{Role: RoleInference})
	if a.redis != nil || a.embedded != nil {
		t.Error("the inference role has a Redis")
	}
	status, body := get(t, a.URL()+"/readyz")
	var health struct{ Checks map[string]string }
	if err := json.Unmarshal([]byte(body), &health); err != nil {
		t.Fatal(err)
	}
	if status != 503 || health.Checks["model"] == "ok" || health.Checks["redis"] != "" {
		t.Errorf("/readyz: %d %s, want 503 for the lack of a model", status, body)
	}
}

// Where something cannot be opened, New says what, and leaves nothing open.
func TestNewFails(t *testing.T) {
	a, _ := start(t, Config{})
	dir := t.TempDir()
	_, port, _ := strings.Cut(strings.TrimPrefix(a.URL(), "http://"), ":")
	for range 2 {
		_, err := New(t.Context(), Config{DataDir: dir, Port: port}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "PORT") {
			t.Fatalf("on a port that is taken: %v", err)
		}
	}
	start(t, Config{DataDir: dir}) // the directory is free again
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"redis://:hush@h:6379/0?x=hush":                   "redis://h:6379",
		"redis-sentinel://u:hush@a:1,b:2/0?master_name=m": "redis-sentinel://a:1,b:2",
	} {
		if got := hosts(in); got != want {
			t.Errorf("hosts(%q) = %q, want %q", in, got, want)
		}
	}
}

// Every route of every role has a rule in httpapi that says who may use it; what a
// rule says is tested by TestIsolation.
func TestRoutesHaveRules(t *testing.T) {
	for _, role := range []Role{RoleAll, RoleInference} {
		a, _ := start(t, Config{Role: role, Secrets: Secrets{APITokens: []tokens.Stated{{Name: "anna", Secret: "anna-secret"}}}})
		if routes := a.handler.(*httpapi.Server).Unruled(); len(routes) > 0 {
			t.Errorf("routes without a rule, to be written into api/httpapi/rules.go: %q", routes)
		}
	}
}
