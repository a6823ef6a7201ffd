package redisjobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/storage/atomicfile"
)

const (
	readyWithin = 30 * time.Second // bounds a server's start, and its end
	askEvery    = 10 * time.Millisecond
	restartWait = 500 * time.Millisecond // between a server's death and the next
	maxSocket   = 100                    // bytes of a socket's path, on every system
	socketFile  = "socket"               // in the data directory: the socket's path
)

// What a server prints that cannot make sense of its file, and what it prints
// when the file is not at fault.
var (
	complaint = regexp.MustCompile(`(?i)(append only file|aof)[^\n]*(error|bad|corrupt|unexpected|unrecognized|invalid|reading)|(error|bad|unexpected|reading)[^\n]*(append only file|aof)`)
	excuse    = regexp.MustCompile(`(?i)permission denied|no space left|read-only file system|input/output error`)
)

// server is a Redis server that runs as a child of this process, on a socket
// that only its user can open.
type server struct {
	program, dir, socket string
	log                  *slog.Logger
}

// startServer runs program with its data in dir, again whenever it dies, until
// end is called.
func startServer(ctx context.Context, program, dir string, log *slog.Logger) (address string, end func() error, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	if err := endOrphan(ctx, dir); err != nil {
		return "", nil, err
	}
	s := &server{program: program, dir: dir, log: log}
	if s.socket, err = newSocket(dir); err != nil {
		return "", nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	failed, stopped := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(stopped)
		s.run(running, failed)
	}()
	end = func() error {
		stop()
		<-stopped
		return removeSocket(dir, s.socket)
	}
	if err := s.ready(ctx, failed); err != nil {
		err = errors.Join(err, end())
		if text := err.Error(); complaint.MatchString(text) && !excuse.MatchString(text) {
			return "", nil, &damagedError{filepath.Join(dir, "appendonlydir"), err}
		}
		return "", nil, err
	}
	return (&url.URL{Scheme: "unix", Path: s.socket}).String(), end, nil
}

// run keeps a server running until ctx ends. It holds its thread: the kernel
// ends the child with the thread that started it, not with the process.
func (s *server) run(ctx context.Context, failed chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		err := s.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		s.log.Error("the embedded Redis ended and is started again", "program", s.program, "error", err)
		select {
		case failed <- err:
		default:
		}
		timer := time.NewTimer(restartWait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// runOnce runs a server until it ends; the end of ctx asks it to.
func (s *server) runOnce(ctx context.Context) error {
	var output tail
	cmd := exec.CommandContext(ctx, s.program, "--port", "0", "--unixsocket", s.socket, "--unixsocketperm", "700",
		"--dir", s.dir, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		"--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it writes its file first
	cmd.WaitDelay = readyWithin
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
	}
	return errors.New("it exited")
}

// ready waits until the server has read its file and answers.
func (s *server) ready(ctx context.Context, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, MaxRetries: -1})
	defer c.Close()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if _, err := os.Stat(s.socket); err == nil && c.Ping(ctx).Err() == nil {
			return nil
		}
		select {
		case err := <-failed:
			return fmt.Errorf("%s: %w", s.program, err)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", s.program, ctx.Err())
		case <-tick.C:
		}
	}
}

// endOrphan ends the server of a former process that crashed, if it has
// outlived it, so that no two write the same file.
func endOrphan(ctx context.Context, dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, socketFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	socket := string(raw)
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
	defer c.Close()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil && ctx.Err() == nil {
			return removeSocket(dir, socket) // nobody listens
		}
		if err == nil {
			conn.Close()
			c.Shutdown(ctx) // whether it has worked, the next dial tells
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the Redis server of a former process does not end: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// newSocket is a path for a socket, in dir unless that is too long for one. It
// is a new one each time: a server that ends removes its own.
func newSocket(dir string) (string, error) {
	name := "redis-" + rand.Text()[:8] + ".sock"
	socket := filepath.Join(dir, name)
	if len(socket) > maxSocket {
		scratch, err := os.MkdirTemp("", "redis-")
		if err != nil {
			return "", err
		}
		socket = filepath.Join(scratch, name)
	}
	return socket, atomicfile.Replace(filepath.Join(dir, socketFile), 0o600, atomicfile.Bytes([]byte(socket)))
}

// removeSocket removes what newSocket made in dir.
func removeSocket(dir, socket string) error {
	err := os.Remove(socket)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if scratch := filepath.Dir(socket); err == nil && scratch != dir {
		err = os.Remove(scratch)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(filepath.Join(dir, socketFile)))
}

// tail is the end of what was written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	*t = append(*t, p...)
	if over := len(*t) - most; over > 0 {
		*t = append((*t)[:0], (*t)[over:]...)
	}
	return len(p), nil
}
