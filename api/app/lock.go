package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// LockDir makes a data directory this process' own until it ends or unlock is
// called. The operating system releases the lock of a process that was killed.
func LockDir(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("DATA_DIR: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("DATA_DIR: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("DATA_DIR: another process uses %s: stop it, or set DATA_DIR to another directory", dir)
	}
	return lock.Unlock, nil
}
