package redisjobs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

var discard = slog.New(slog.NewTextHandler(io.Discard, nil))

// holdDir, in the environment, makes the test's binary the process that the
// tests kill: it starts an embedded Redis there, prints its URL and waits.
const holdDir = "REDISJOBS_TEST_HOLD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdDir); dir != "" {
		e, err := startEmbedded(context.Background(), dir, os.Getenv("REDISJOBS_TEST_PROGRAM"), discard)
		if err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString(e.URL() + "\n")
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// onEveryEmbedded runs test with both kinds of embedded Redis.
func onEveryEmbedded(t *testing.T, test func(t *testing.T, program string)) {
	t.Run("miniredis", func(t *testing.T) { t.Parallel(); test(t, "") })
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		program := findServer()
		if program == "" {
			t.Skip("neither valkey-server nor redis-server is on PATH: install one to test it as a child")
		}
		test(t, program)
	})
}

func start(t *testing.T, dir, program string) (*Embedded, redis.UniversalClient) {
	t.Helper()
	e, err := startEmbedded(t.Context(), dir, program, discard)
	if err != nil {
		t.Fatal(err)
	}
	return e, dial(t, e.URL())
}

func dial(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	r, err := Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Data that makes no sense is set aside, the log says where, and the queue
// starts empty.
func TestDamagedData(t *testing.T) {
	onEveryEmbedded(t, func(t *testing.T, program string) {
		dir := t.TempDir()
		e, r := start(t, dir, program)
		fill(t, r)
		r.Close()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		written := "snapshot"
		if program != "" {
			written = "appendonlydir"
		}
		for name, content := range map[string]string{
			"empty": "", "cut": `[{"Key":"YQ==","Typ`, "of another kind": `[{"Key":"YQ==","Type":"stream","Values":["YQ=="]}]`, "garbage": "\x00\xff garbage that no Redis ever wrote\n",
		} {
			damage(t, filepath.Join(dir, written), content)
			var log bytes.Buffer
			e, err := startEmbedded(t.Context(), dir, program, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r := dial(t, e.URL())
			if n, err := r.DBSize(t.Context()).Result(); n != 0 || err != nil {
				t.Errorf("%s: it starts with %d keys, %v", name, n, err)
			}
			fill(t, r)
			r.Close()
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			aside := filepath.Join(dir, written+asideSuffix)
			if _, err := os.Stat(aside); err != nil || !strings.Contains(log.String(), aside) {
				t.Errorf("%s: nothing was set aside, or the log does not name it: %v\n%s", name, err, &log)
			}
			if err := os.RemoveAll(aside); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// damage gives a file, or all in a directory, another content.
func damage(t *testing.T, path, content string) {
	t.Helper()
	err := filepath.WalkDir(path, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.WriteFile(path, []byte(content), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fill enqueues two tasks and leaves the first to a worker that is dead.
func fill(t *testing.T, r redis.UniversalClient) {
	t.Helper()
	for i := range 2 {
		if err := NewQueue(r).Enqueue(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: "tj_1", Fold: i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := (Live{r}).Tell(t.Context(), "tj_1", Pause); err != nil {
		t.Fatal(err)
	}
	taken := make(chan struct{}, 1)
	server := asynq.NewServerFromRedisClient(r, asynq.Config{Concurrency: 1, Queues: map[string]int{"fold": 1}, LogLevel: asynq.FatalLevel, ShutdownTimeout: time.Millisecond})
	dead := make(chan struct{})
	t.Cleanup(func() { close(dead) })
	err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { taken <- struct{}{}; <-dead; return nil }))
	if err != nil {
		t.Fatal(err)
	}
	<-taken
	active, err := r.LRange(t.Context(), "asynq:{fold}:active", 0, -1).Result()
	if err != nil || len(active) != 1 {
		t.Fatalf("active %v, %v", active, err)
	}
	lease, err := r.ZScore(t.Context(), leaseKey("fold"), active[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	// asynq puts a task back when its server ends: the dead do not.
	server.Shutdown()
	pipe := r.TxPipeline()
	pipe.LRem(t.Context(), "asynq:{fold}:pending", 1, active[0])
	pipe.LPush(t.Context(), "asynq:{fold}:active", active[0])
	pipe.ZAdd(t.Context(), leaseKey("fold"), redis.Z{Score: lease, Member: active[0]})
	pipe.HSet(t.Context(), "asynq:{fold}:t:"+active[0], "state", "active")
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// resumes checks that both tasks of fill are worked on soon.
func resumes(t *testing.T, r redis.UniversalClient) {
	t.Helper()
	handled := make(chan jobs.Task, 2)
	ctx, cancel := context.WithCancel(t.Context())
	s := &Server{Redis: r, Log: discard, Pools: []Pool{{Kinds: []jobs.Kind{jobs.TrainFold}, Concurrency: 1}},
		Handler: func(_ context.Context, task jobs.Task) error { handled <- task; return nil }}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	seen := map[int]bool{}
	for range 2 {
		select {
		case task := <-handled:
			seen[task.Fold] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v went on", seen)
		}
	}
	cancel()
	if err := <-served; err != nil || !seen[0] || !seen[1] {
		t.Errorf("went on: %v, %v", seen, err)
	}
	if control, err := (Live{r}).Heartbeat(t.Context(), "tj_1", 0, []byte("{}")); err != nil || control != Pause {
		t.Errorf("told %q, %v", control, err)
	}
}

func TestEmbeddedKeepsTasks(t *testing.T) {
	onEveryEmbedded(t, func(t *testing.T, program string) {
		dir := filepath.Join(t.TempDir(), strings.Repeat("long", 20)) // too long for a socket
		e, r := start(t, dir, program)
		fill(t, r)
		if _, err := startEmbedded(t.Context(), dir, program, discard); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("a second one in the same directory: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := r.Ping(t.Context()).Err(); err == nil {
			t.Error("it answers after Close")
		}
		e, r = start(t, dir, program)
		resumes(t, r)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Killed in the middle, the next process finds everything again.
func TestEmbeddedKilled(t *testing.T) {
	onEveryEmbedded(t, func(t *testing.T, program string) {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), holdDir+"="+dir, "REDISJOBS_TEST_PROGRAM="+program)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		r := dial(t, strings.TrimSpace(line))
		fill(t, r)
		if program == "" {
			await(t, "a snapshot", func() bool {
				raw, err := os.ReadFile(filepath.Join(dir, "snapshot"))
				return err == nil && strings.Contains(string(raw), `"list"`) && strings.Contains(string(raw), `"zset"`)
			})
		}
		cmd.Process.Kill()
		cmd.Wait()
		if program != "" && runtime.GOOS == "linux" {
			await(t, "the server to die with its parent", func() bool { return r.Ping(t.Context()).Err() != nil })
		}
		e, r := start(t, dir, program)
		resumes(t, r)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A server that outlived its parent is ended before another one starts, and one
// that dies is started again at the same address.
func TestEmbeddedServerDies(t *testing.T) {
	program := findServer()
	if program == "" {
		t.Skip("neither valkey-server nor redis-server is on PATH: install one to test it as a child")
	}
	t.Parallel()
	dir := t.TempDir()
	socket, err := newSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	orphan := &server{program: program, dir: dir, socket: socket, log: discard}
	go func() { ended <- orphan.runOnce(ctx) }()
	defer cancel()
	if err := orphan.ready(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, "unix://"+socket).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	e, r := start(t, dir, program)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the orphan lives")
	}
	for range 2 {
		if v, err := r.Get(t.Context(), "k").Result(); v != "v" {
			t.Errorf("the orphan's data: %q, %v", v, err)
		}
		r.Shutdown(t.Context())
		await(t, "the server to be back", func() bool { return r.Ping(t.Context()).Err() == nil })
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*sock*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEmbeddedFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := startEmbedded(t.Context(), dir, filepath.Join(dir, "none"), discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such program: %v", err)
	}
	// What the system does not let us read may be whole: it stays where it is.
	snapshot := filepath.Join(dir, "snapshot")
	if err := os.Mkdir(snapshot, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := startEmbedded(t.Context(), dir, "", discard); err == nil || !strings.Contains(err.Error(), "restore snapshot") {
		t.Errorf("a snapshot that cannot be opened: %v", err)
	}
	if _, err := os.Stat(snapshot); err != nil {
		t.Errorf("the snapshot was moved: %v", err)
	}
}

// await polls what no channel tells.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick, timeout := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
