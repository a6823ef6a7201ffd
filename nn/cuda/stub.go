//go:build !gpu

package cuda

// Without the tag there are no devices, and no need of CUDA to build.

func count() (int, error) { return 0, ErrNotBuilt }

func openDriver(int) (driver, error) { return nil, ErrNotBuilt }
