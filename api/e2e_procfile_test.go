//go:build unix

package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"polyid-trainer/api/client"
)

// TestProcfile runs the lines of the Procfile as its runners do: api and worker
// find each other, and a job succeeds.
func TestProcfile(t *testing.T) {
	end2end(t)
	address := freeAddress(t)
	startRedis(t, redisProgram(t), address)
	text, err := os.ReadFile("../Procfile")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	s := &service{url: "http://127.0.0.1:" + port, dir: t.TempDir()}
	if s.client, err = client.New(s.url, ""); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, command, _ := strings.Cut(strings.TrimSpace(line), ": ")
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "PORT="+port, "DATA_DIR="+s.dir, "REDIS_URL=redis://"+address, "STORAGE_URL=file://"+s.dir+"/objects")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run does not hand on what ends it
		out := &record{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
			cmd.Wait()
			if t.Failed() {
				t.Logf("%s wrote\n%s", name, out)
			}
		})
	}
	s.process = &process{t: t}
	until(t, "the api to be ready", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	s.succeeds(s.submit(small(1, "")).ID)
}
