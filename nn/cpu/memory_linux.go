package cpu

import "golang.org/x/sys/unix"

// adviseLarge asks for large pages. It is advice: where it is not taken, the
// memory is as good as any.
func adviseLarge(memory []byte) { _ = unix.Madvise(memory, unix.MADV_HUGEPAGE) }
