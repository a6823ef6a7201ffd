package hubserver_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

// gitHub is a Hub with one private repository, acme/tg, and git to read it.
type gitHub struct {
	*hub.Client
	url string // of the repository, with the token as password
	dir string // scratch
	env []string
}

func newGitHub(t *testing.T) gitHub {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	h, err := hubserver.New(hubserver.Config{Dir: t.TempDir(), Prefix: "/hub", Tokens: []hubserver.Token{{Name: "anna <b>", Secret: "hf_local"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := hub.New(hub.Config{Endpoint: s.URL + "/hub", Token: "hf_local", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateRepo(t.Context(), "acme/tg", true); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return gitHub{c, strings.Replace(s.URL, "://", "://user:hf_local@", 1) + "/hub/acme/tg", dir, append(os.Environ(),
		"HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost")}
}

func (g gitHub) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a negotiation may hang
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.WaitDelay = time.Second
	cmd.Dir, cmd.Env = g.dir, g.env
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (g gitHub) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := g.try(args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (g gitHub) commit(t *testing.T, branch string, files map[string]string) string {
	t.Helper()
	m := hub.Commit{Summary: "add"}
	for path, content := range files {
		m.Add = append(m.Add, hub.Bytes(path, []byte(content)))
	}
	commit, err := g.Commit(t.Context(), "acme/tg", branch, m)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

// TestGitClient reads what was committed through the API with git: at a tag,
// on a branch, shallow and deepened again, and what came since.
func TestGitClient(t *testing.T) {
	g := newGitHub(t)
	first := g.commit(t, "main", map[string]string{"README.md": "# one\n", "folds/a/b.json": "{}"})
	if err := g.CreateTag(t.Context(), "acme/tg", "main", "v1.0.0", "stable"); err != nil {
		t.Fatal(err)
	}
	if err := g.CreateTag(t.Context(), "acme/tg", "main", "light", ""); err != nil {
		t.Fatal(err)
	}
	if err := g.CreateBranch(t.Context(), "acme/tg", "dev/one", ""); err != nil {
		t.Fatal(err)
	}
	dev := g.commit(t, "dev/one", map[string]string{"dev.txt": "dev"})
	second := g.commit(t, "main", map[string]string{"README.md": "# two\n"})

	for rev, want := range map[string]string{"v1.0.0": first, "light": first, "dev/one": dev, "main": second} {
		g.git(t, "clone", "-q", "-c", "advice.detachedHead=false", "--branch", rev, g.url, "at/"+rev)
		if got := g.git(t, "-C", "at/"+rev, "rev-parse", "HEAD"); got != want {
			t.Errorf("clone at %s: %s, want %s", rev, got, want)
		}
		g.git(t, "-C", "at/"+rev, "fsck", "--strict")
	}
	compare(t, filepath.Join(g.dir, "at/v1.0.0"), map[string]string{"README.md": "# one\n", "folds/a/b.json": "{}"})
	if got := g.git(t, "-C", "at/v1.0.0", "log", "-1", "--format=%an %ae"); got != "anna b anna.b@localhost" {
		t.Errorf("who committed is %s", got)
	}
	if got := g.git(t, "-C", "at/v1.0.0", "for-each-ref", "--format=%(taggername)", "refs/tags/v1.0.0"); got != "anna b" {
		t.Errorf("who tagged is %s", got)
	}
	if got := g.git(t, "-C", "at/main", "symbolic-ref", "refs/remotes/origin/HEAD"); got != "refs/remotes/origin/main" {
		t.Errorf("HEAD is %s", got)
	}

	count := func(dir string) string { return g.git(t, "-C", dir, "rev-list", "--count", "HEAD") }
	g.git(t, "clone", "-q", "-c", "advice.detachedHead=false", "--depth", "1", "--branch", "v1.0.0", g.url+".git", "shallow-tag")
	if got := count("shallow-tag"); got != "1" {
		t.Errorf("a clone of depth 1 at a tag has %s commits", got)
	}
	g.git(t, "clone", "-q", "--depth", "1", g.url, "shallow")
	for i, deepen := range [][]string{{"--depth", "1"}, {"--depth", "2"}, {"--unshallow"}} {
		g.git(t, append([]string{"-C", "shallow", "fetch", "-q"}, deepen...)...)
		if got := count("shallow"); got != strconv.Itoa(i+1) {
			t.Errorf("after fetch %s the clone has %s commits, want %d", deepen, got, i+1)
		}
		g.git(t, "-C", "shallow", "fsck", "--strict")
	}

	// The client has commits that the Hub does not know, and branches go on.
	for i := range 40 {
		g.git(t, "-C", "at/main", "commit", "-q", "--allow-empty", "-m", strings.Repeat("x", i+1))
	}
	third := g.commit(t, "main", map[string]string{"README.md": "# three\n"})
	g.git(t, "-C", "at/main", "fetch", "-q")
	if got := g.git(t, "-C", "at/main", "rev-parse", "origin/main"); got != third {
		t.Errorf("fetched %s, want %s", got, third)
	}
	g.git(t, "-C", "at/main", "fetch", "-q", "origin", first)
	g.git(t, "-C", "at/main", "fsck", "--strict")
	g.git(t, "init", "-q", "empty")
	g.git(t, "-C", "empty", "fetch", "-q", "--depth", "2", g.url, dev+":refs/heads/x")
	if got := count("at/main"); got != "43" {
		t.Errorf("main has %s commits", got)
	}

	if out, err := g.try("-C", "at/main", "push", "origin", "HEAD:main"); err == nil || !strings.Contains(out, "commit through its API") {
		t.Errorf("push: %v %s", err, out)
	}
	nobody := strings.Replace(g.url, "user:hf_local@", "", 1)
	if out, err := g.try("clone", "-q", nobody, "nobody"); err == nil {
		t.Errorf("a private repository is cloned without a token: %s", out)
	}
}

// TestGitLFS has git-lfs fetch what LFS stores, whatever it is named.
func TestGitLFS(t *testing.T) {
	if _, err := exec.LookPath("git-lfs"); err != nil {
		t.Skip("git-lfs is not installed")
	}
	g := newGitHub(t)
	g.git(t, "lfs", "install")
	large := strings.Repeat("0123456789abcde\n", 1<<17)
	files := map[string]string{
		"README.md": "# Tg\n", "folds/0/model.safetensors": "\x00\x01\x02", "table.csv": large,
		"odd [1] #name!.dät": large + "!", "empty.bin": "", "mine.dat": "small",
	}
	g.commit(t, "main", files)
	g.git(t, "clone", "-q", g.url, "whole")
	compare(t, filepath.Join(g.dir, "whole"), files)
	if got := g.git(t, "-C", "whole", "status", "--porcelain"); got != "" {
		t.Errorf("a fresh clone is changed: %s", got)
	}
	if got := g.git(t, "-C", "whole", "lfs", "ls-files", "--name-only"); len(strings.Split(got, "\n")) != 3 {
		t.Errorf("git-lfs knows of %s", got)
	}
	skip := g
	skip.env = append(slices.Clip(g.env), "GIT_LFS_SKIP_SMUDGE=1")
	skip.git(t, "clone", "-q", g.url, "pointers")
	if got, err := os.ReadFile(filepath.Join(g.dir, "pointers/table.csv")); err != nil || !strings.HasPrefix(string(got), "version https://git-lfs") {
		t.Errorf("without smudging, table.csv begins %.40q (%v)", got, err)
	}
	g.git(t, "-C", "pointers", "lfs", "pull")
	compare(t, filepath.Join(g.dir, "pointers"), files)
	g.git(t, "-C", "pointers", "lfs", "fsck")

	// A .gitattributes of one's own is kept to, and completed.
	own := map[string]string{".gitattributes": "*.dat filter=lfs diff=lfs merge=lfs -text", "mine.dat": "smaller", "new.dat": "new"}
	g.commit(t, "main", own)
	g.git(t, "-C", "whole", "pull", "-q")
	if got := g.git(t, "-C", "whole", "status", "--porcelain"); got != "" {
		t.Errorf("after a pull the clone is changed: %s", got)
	}
	if got := g.git(t, "-C", "whole", "lfs", "ls-files", "--name-only"); len(strings.Split(got, "\n")) != 5 {
		t.Errorf("git-lfs knows of %s", got)
	}
	delete(own, ".gitattributes")
	compare(t, filepath.Join(g.dir, "whole"), own)
}
