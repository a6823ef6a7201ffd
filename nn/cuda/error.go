package cuda

import (
	"errors"
	"fmt"
)

// What an *Error may wrap. All of them end an attempt at a fold, and none says
// anything against the job: another worker, or this one after a restart, may
// take the fold up at its last checkpoint.
var (
	// ErrOutOfMemory: the fold does not fit. The device goes on with the others.
	ErrOutOfMemory = errors.New("out of device memory")
	// ErrLost: the device fell off the bus, or a kernel failed. No call of this
	// process on this device will succeed any more.
	ErrLost = errors.New("device lost")
	// ErrECC: memory was damaged beyond repair. As ErrLost; what was computed
	// since the last checkpoint must not be used.
	ErrECC = errors.New("uncorrectable memory error")
)

// Error is a failure of a device.
type Error struct {
	Device string // "cuda:0"
	Op     string // what was asked of it
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Device, e.Op, e.Err) }

// Unwrap returns what the driver said.
func (e *Error) Unwrap() error { return e.Err }

// broken reports whether err has made a device useless to this process.
func broken(err error) bool { return errors.Is(err, ErrLost) || errors.Is(err, ErrECC) }
