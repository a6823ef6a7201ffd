package hubserver_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

// serveVariable makes the test binary a Hub of the directory it names, which
// says on its output where it listens.
const serveVariable = "HUBSERVER_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(serveVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	h, err := hubserver.New(hubserver.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	panic(http.Serve(l, h))
}

// startHub runs a Hub in a process of its own.
func startHub(t *testing.T, dir string) (*hub.Client, *os.Process) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c, err := hub.New(hub.Config{Endpoint: "http://" + strings.TrimSpace(address), CacheDir: t.TempDir(), Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c, cmd.Process
}

// TestKill kills the Hub's process in the middle of commits: what was answered
// for is there, and what is there is whole.
func TestKill(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	dir := t.TempDir()
	c, process := startHub(t, dir)
	if err := c.CreateRepo(t.Context(), "acme/tg", false); err != nil {
		t.Fatal(err)
	}
	// A revision is whole if all its files hold what they should for its number.
	content := func(number string, file int) []byte {
		sum := sha256.Sum256(fmt.Append(nil, number, file))
		return bytes.Repeat(sum[:], 1+file*1000)
	}
	const files = 9
	name := func(file int) string {
		return fmt.Sprintf("f/%d.%s", file, []string{"json", "bin", "safetensors"}[file%3])
	}
	var mu sync.Mutex
	answered := map[string]bool{}
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		made := make(chan struct{}, 100)
		var wg sync.WaitGroup
		for worker := range 3 {
			wg.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					number := fmt.Sprintf("%d-%d-%d", round, worker, i)
					m := hub.Commit{Summary: number, Add: []hub.File{hub.Bytes("number", []byte(number))}}
					for f := range files {
						m.Add = append(m.Add, hub.Bytes(name(f), content(number, f)))
					}
					commit, err := c.Commit(ctx, "acme/tg", "main", m)
					if err != nil {
						return // the Hub is dead, or the round is over
					}
					mu.Lock()
					answered[commit] = true
					mu.Unlock()
					select {
					case made <- struct{}{}:
					default:
					}
				}
			})
		}
		for range 2 + round { // at another moment each time
			<-made
		}
		if err := process.Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		wg.Wait()
		c, process = startHub(t, dir)
	}
	repo := filepath.Join(dir, "repos", "acme", "tg.git")
	if git, err := exec.LookPath("git"); err == nil {
		if out, err := exec.Command(git, "--git-dir", repo, "fsck", "--strict", "--full").CombinedOutput(); err != nil {
			t.Errorf("git fsck: %v\n%s", err, out)
		}
	}
	// Contents that the killed left are collected; what was answered for stays.
	h, err := hubserver.New(hubserver.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Collect(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	var commits []hub.LogEntry
	for from := "main"; len(commits) == 0 || from != commits[len(commits)-1].Commit; { // page by page
		if n := len(commits); n > 0 {
			from = commits[n-1].Commit
			commits = commits[:n-1]
		}
		page, err := c.Log(t.Context(), "acme/tg", from)
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, page...)
	}
	t.Logf("%d commits, %d of them answered for", len(commits), len(answered))
	for _, commit := range commits[:len(commits)-1] { // the first made the repository
		delete(answered, commit.Commit)
		s, err := c.Snapshot(t.Context(), "acme/tg", commit.Commit, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", commit.Commit, err)
		}
		number, err := os.ReadFile(filepath.Join(s.Dir, "number"))
		if err != nil {
			t.Fatal(err)
		}
		for f := range files {
			got, err := os.ReadFile(filepath.Join(s.Dir, filepath.FromSlash(name(f))))
			if err != nil || !bytes.Equal(got, content(string(number), f)) {
				t.Errorf("%s of %s is not what was committed (%v)", name(f), number, err)
			}
		}
	}
	if len(answered) > 0 {
		t.Errorf("commits answered for and lost: %v", answered)
	}
}
