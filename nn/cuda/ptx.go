package cuda

import "fmt"

// architectures is what there is PTX for, ascending; gen_ptx.py makes it. A
// device runs that of the newest architecture it is not older than: its driver
// compiles PTX for what it is.
var architectures = [...]int{70, 80, 86, 90}

// architecture chooses the PTX for a compute capability.
func architecture(major, minor int) (int, error) {
	best := 0
	for _, a := range architectures {
		if a <= 10*major+minor {
			best = a
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("compute capability %d.%d: 7.0 is the least, for the memory model the barrier needs", major, minor)
	}
	return best, nil
}

// archFile is where an architecture's PTX is, in this directory.
func archFile(arch int) string { return fmt.Sprintf("ptx/sm_%d.ptx", arch) }
