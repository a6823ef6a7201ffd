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
	// ErrNotBuilt: this program has no GPU code in it.
	ErrNotBuilt = errors.New("built without GPU support: build with -tags gpu, see nn/cuda/build.sh")
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

// classify gives an error code of the driver (CUresult) its meaning. The codes
// listed are those after which a context goes on; CUDA guarantees it for no
// other.
func classify(code int, text string) error {
	switch code {
	case 2: // OUT_OF_MEMORY
		return fmt.Errorf("%w (%s)", ErrOutOfMemory, text)
	case 214: // ECC_UNCORRECTABLE
		return fmt.Errorf("%w (%s)", ErrECC, text)
	case 100: // NO_DEVICE
		return fmt.Errorf("there is no NVIDIA driver, or no device (%s)", text)
	case 1, // INVALID_VALUE
		3,   // NOT_INITIALIZED
		101, // INVALID_DEVICE
		200, // INVALID_IMAGE
		209, // NO_BINARY_FOR_GPU
		218, // INVALID_PTX
		221, // JIT_COMPILER_NOT_FOUND
		222, // UNSUPPORTED_PTX_VERSION
		500, // NOT_FOUND
		701, // LAUNCH_OUT_OF_RESOURCES
		720, // COOPERATIVE_LAUNCH_TOO_LARGE
		801: // NOT_SUPPORTED
		return errors.New(text)
	}
	return fmt.Errorf("%w (%s)", ErrLost, text)
}

// broken reports whether err has made a device useless to this process.
func broken(err error) bool { return errors.Is(err, ErrLost) || errors.Is(err, ErrECC) }
