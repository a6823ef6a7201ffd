//go:build unix

package atomicfile

import (
	"errors"
	"syscall"
)

// IsFull reports whether an error means that nothing more can be written: the file
// system, a quota, or the size that a file of this process may have is used up.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
