package cuda

// driver is one device as this package uses it. Besides the real one, behind
// the build tag gpu, tests have one that runs the kernels as host code and one
// that fails by script.
type driver interface {
	// describe says what the device is. It is called once.
	describe() (Info, error)
	// alloc reserves device memory, aligned to 256 bytes; free returns it.
	alloc(bytes int) (address, error)
	free(a address) error
	// stream makes a queue of work. Streams run side by side.
	stream() (stream, error)
	close() error
}

// stream is a queue of work on a device: what is asked of it is done in order.
// Only read and close wait. Errors may be those of earlier work. A stream is
// used by one goroutine at a time.
type stream interface {
	// write copies src to the device. src may be changed once write returns.
	write(dst address, src []byte) error
	// zero clears memory; bytes is a multiple of 4.
	zero(dst address, bytes int) error
	// launch runs the kernel on a grid of which all blocks are resident at once.
	launch(blocks int, args *arguments) error
	// read waits for all work and copies from the device.
	read(dst []byte, src address) error
	close() error
}

// address is one of device memory.
type address uint64

// arguments are those of the kernel, all 64 bits wide.
type arguments struct {
	Ops, Phases         address
	First, Last         uint64 // phases
	Weights, M, V, Grad address
	States, Plan        address
	Input, Output       address
	Tables, Arrivals    address
}

// Info describes a device.
type Info struct {
	Name            string // as DEVICE names it: "cuda:0"
	Model           string // "NVIDIA A10G"
	Major, Minor    int    // compute capability
	Multiprocessors int
	Blocks          int // of the kernel that are resident at once
	Enough          int // blocks of one launch; 0: all
	Memory, Free    int // bytes
	Driver          int // CUDA version of the driver: 12040 is 12.4
}
