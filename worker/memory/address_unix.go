//go:build unix

package memory

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

var errNoLimit = errors.New("the address space has no limit")

// addressSpace is what the limit of the address space leaves beside what the
// process maps now.
func addressSpace() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &limit); err != nil {
		return 0, err
	}
	if limit.Cur == unix.RLIM_INFINITY {
		return 0, errNoLimit
	}
	all, used := uint64(limit.Cur), mapped() //nolint:unconvert // an int64 on FreeBSD
	if all <= used {
		return 1, nil
	}
	return all - used, nil
}

// mapped is the size of the address space in use, 0 where /proc does not say.
func mapped() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
