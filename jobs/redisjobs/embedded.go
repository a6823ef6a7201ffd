package redisjobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	"github.com/redis/go-redis/v9"
)

// Embedded is a Redis of this process' own, which keeps the queue in a
// directory so that it is there again after a crash: a valkey-server or
// redis-server found on PATH, or else a miniredis that is written to disk every
// second. Both may lose the last second. Data that is damaged is set aside.
type Embedded struct {
	url   string
	lock  *flock.Flock
	close func() error
}

// StartEmbedded starts a Redis that keeps its data in dir, which no other
// process may use at the same time. Whatever a former process was working on is
// free for the servers of this one. Close ends it.
func StartEmbedded(ctx context.Context, dir string, log *slog.Logger) (*Embedded, error) {
	return startEmbedded(ctx, dir, findServer(), log)
}

// startEmbedded runs the server program, or a miniredis if it is "".
func startEmbedded(ctx context.Context, dir, program string, log *slog.Logger) (_ *Embedded, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	e := &Embedded{lock: flock.New(filepath.Join(dir, "lock"))}
	locked, err := e.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("embedded Redis: another process uses %s", dir)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("embedded Redis: %w", errors.Join(err, e.Close()))
		}
	}()
	run := func() (string, func() error, error) {
		if program != "" {
			return startServer(ctx, program, dir, log)
		}
		return startMini(ctx, dir, log)
	}
	e.url, e.close, err = run()
	var damaged *damagedError
	if errors.As(err, &damaged) {
		if err := setAside(damaged.path); err != nil {
			return e, err
		}
		log.Error("the embedded Redis cannot read its data and starts empty: the queue is filled again from the records",
			"set_aside", damaged.path+asideSuffix, "error", damaged.err)
		e.url, e.close, err = run()
	}
	if err != nil {
		return e, err
	}
	r, err := Connect(e.url)
	if err != nil {
		return e, err
	}
	defer r.Close()
	return e, releaseLeases(ctx, r, time.Now())
}

// damagedError means that what a former process left at path cannot be read.
type damagedError struct {
	path string
	err  error
}

func (e *damagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.path, e.err) }
func (e *damagedError) Unwrap() error { return e.err }

// asideSuffix is of data that was damaged.
const asideSuffix = ".damaged"

// setAside renames a file or directory, in place of the one set aside before it.
func setAside(path string) error {
	if err := os.RemoveAll(path + asideSuffix); err != nil {
		return err
	}
	return os.Rename(path, path+asideSuffix)
}

// URL is the address for Connect, good for this user on this machine.
func (e *Embedded) URL() string { return e.url }

// Close writes everything to disk and ends the Redis. Its clients come first.
func (e *Embedded) Close() error {
	var err error
	if e.close != nil {
		err = e.close()
	}
	return errors.Join(err, e.lock.Unlock())
}

// findServer is the path of a server on PATH, "" if there is none that can
// serve a socket.
func findServer() string {
	if runtime.GOOS == "windows" {
		return ""
	}
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// releaseLeases lets the leases of all active tasks lapse long ago: whoever
// held them is dead, since no two processes share an embedded Redis. The
// servers' recoverers then take them up at once.
func releaseLeases(ctx context.Context, r redis.UniversalClient, now time.Time) error {
	long := float64(now.Add(-time.Hour).Unix())
	for kind := range kinds {
		key := leaseKey(queueOf(kind))
		tasks, err := r.ZRange(ctx, key, 0, -1).Result()
		if err != nil {
			return fmt.Errorf("release leases: %w", err)
		}
		lapsed := make([]redis.Z, len(tasks))
		for i, t := range tasks {
			lapsed[i] = redis.Z{Score: long, Member: t}
		}
		if len(lapsed) == 0 {
			continue
		}
		if err := r.ZAddXX(ctx, key, lapsed...).Err(); err != nil {
			return fmt.Errorf("release leases: %w", err)
		}
	}
	return nil
}
