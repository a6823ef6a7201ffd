//go:build !gpu

package cuda

// Built reports whether this program was built with the tag gpu.
const Built = false

// Without the tag there are no devices, and no need of CUDA to build.

func count() (int, error) { return 0, ErrNotBuilt }

func openDriver(int) (driver, error) { return nil, ErrNotBuilt }
