//go:build !unix

package atomicfile

import (
	"errors"
	"syscall"
)

// IsFull reports whether an error means that nothing more can be written: a disk
// is full.
func IsFull(err error) bool {
	const (
		handleDiskFull = syscall.Errno(39)  // ERROR_HANDLE_DISK_FULL
		diskFull       = syscall.Errno(112) // ERROR_DISK_FULL
	)
	return errors.Is(err, handleDiskFull) || errors.Is(err, diskFull)
}
