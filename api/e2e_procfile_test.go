//go:build unix

package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// onRedis is a service on a Redis of its own that scripts are to start, with the
// environment for them.
func onRedis(t *testing.T) (s *service, redis string) {
	t.Helper()
	end2end(t)
	redis = freeAddress(t)
	startRedis(t, redisProgram(t), redis)
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	s = &service{process: &process{t: t}, url: "http://" + address, dir: t.TempDir()}
	s.env = []string{"PORT=" + port, "DATA_DIR=" + s.dir, "REDIS_URL=redis://" + redis, "STORAGE_URL=file://" + s.dir + "/objects"}
	s.client = newClient(t, s.url)
	return s, redis
}

// script starts a script of the service until the test ends.
func (s *service) script(cmd *exec.Cmd) {
	s.t.Helper()
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), s.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run does not hand on what ends it
	out := &record{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("%q wrote\n%s", cmd.Args, out)
		}
	})
}

// trainsOne waits until the service answers, and trains a job on it.
func (s *service) trainsOne() {
	s.t.Helper()
	until(s.t, "the api to be ready", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		return err == nil && c.Close() == nil
	})
	s.succeeds(s.submit(small(1, "")).ID)
}

// TestProcfile runs the lines of the Procfile as its runners do: api and worker
// find each other, and a job succeeds.
func TestProcfile(t *testing.T) {
	s, _ := onRedis(t)
	text, err := os.ReadFile("../Procfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, command, _ := strings.Cut(strings.TrimSpace(line), ": ")
		s.script(exec.Command("sh", "-c", command))
	}
	s.trainsOne()
}
