//go:build unix

package storagetest

import (
	"syscall"
	"testing"
)

// Room lets files of this process have at most n bytes until release, as a disk
// does that fills up at that byte. See OwnProcess.
func Room(t *testing.T, n uint64) (release func()) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Skip(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: was.Max}); err != nil {
		t.Skip(err)
	}
	release = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(release)
	return release
}
