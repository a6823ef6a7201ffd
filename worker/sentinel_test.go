//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestLongSentinel kills the master of a Redis with a replica and a Sentinel:
// the replica takes over, and the job goes on.
func TestLongSentinel(t *testing.T) {
	long(t)
	path := redisPath()
	if path == "" {
		t.Skip("neither valkey-server nor redis-server is on PATH: install one to test against it")
	}
	ports := freePorts(t, 3)
	master := process(t, path, "--port", ports[0], "--save", "", "--dir", t.TempDir())
	process(t, path, "--port", ports[1], "--save", "", "--dir", t.TempDir(), "--replicaof", "127.0.0.1", ports[0])
	replica := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + ports[1]})
	defer replica.Close()
	until(t, "the replica to follow", func() bool {
		info, err := replica.Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nsentinel monitor polyid 127.0.0.1 %s 1\nsentinel down-after-milliseconds polyid 1000\nsentinel failover-timeout polyid 5000\n", ports[2], ports[0])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	process(t, path, config, "--sentinel")
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: "127.0.0.1:" + ports[2]})
	defer sentinel.Close()
	until(t, "the Sentinel to know the replica", func() bool {
		known, err := sentinel.Replicas(t.Context(), "polyid").Result()
		return err == nil && len(known) == 1
	})

	c := onRedis(t, "redis-sentinel://127.0.0.1:"+ports[2]+"/0?master_name=polyid")
	j := c.ask(small())
	w := c.worker(quick()...)
	c.training(j.ID, w)
	master.Process.Kill()
	until(t, "the replica to take over", func() bool {
		at, err := sentinel.GetMasterAddrByName(t.Context(), "polyid").Result()
		return err == nil && len(at) == 2 && at[1] == ports[1]
	})
	c.same(small(), c.succeeded(j.ID))
}

// freePorts are ports of loopback that nobody listens on.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// process starts a program that is killed at the end of the test.
func process(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}
