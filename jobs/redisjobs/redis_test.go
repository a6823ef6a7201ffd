package redisjobs_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs/redisjobs"
)

// patience bounds every wait for what must happen; nothing waits so long unless
// it fails.
const patience = 20 * time.Second

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// onEveryRedis runs test against miniredis and a real redis-server.
func onEveryRedis(t *testing.T, test func(t *testing.T, r redis.UniversalClient)) {
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		m := miniredis.RunT(t)
		m.ClockTTL(true)
		test(t, connect(t, "redis://"+m.Addr()))
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, connect(t, realRedis(t)))
	})
}

func connect(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	r, err := redisjobs.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// realRedis starts a redis-server for the test.
func realRedis(t *testing.T) (url string) {
	t.Helper()
	path := serverPath(t)
	dir, err := os.MkdirTemp("", "redis") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return "unix://" + socket
		}
	}
	t.Fatal("redis-server did not come up")
	return ""
}

func serverPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("neither valkey-server nor redis-server is on PATH: install one to test against it")
	return ""
}

// receive waits for c with patience.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for %s", patience, what)
		panic("unreachable")
	}
}
