package kernel

import "fmt"

// Kernels is the kernels of one path. Its methods may be called from any number
// of goroutines, on data that differs.
type Kernels[T Float] struct {
	path path[T]
}

// path is what differs between plain Go and assembly. Arguments are checked
// before they get here. Matrix products get n ≥ 1 and k ≥ 1; vectors of one call
// have the same length.
type path[T Float] interface {
	name() string
	panelWidth() int

	gemm(c, a View[T], w Panels[T], mode Mode[T])
	gemmT(dx, dy View[T], w Panels[T], add bool, scratch []T)
	gemmGrad(dw Panels[T], x, dy View[T], add bool, scratch []T)
	gradAdam(w, m, v Panels[T], x, dy View[T], s AdamStep[T], scratch []T)

	adam(w, m, v, g []T, s AdamStep[T])
	sum1(dst, a []T, relu bool)
	sum2(dst, a, b []T, relu bool)
	sum3(dst, a, b, c []T, relu bool)
	sum4(dst, a, b, c, d []T, relu bool)
	maskReLU(dst, y []T)
	scale(dst, x []T, s T)
	axpy(dst, x []T, s T)
	addMul(dst, x, y []T, s T)
	dot(x, y []T) T

	peak(turns int) (flops float64)
}

// Names of the paths, as Path reports and For takes them.
const (
	AVX512  = "avx512"  // needs AVX-512 F
	AVX2    = "avx2"    // needs AVX2 and FMA
	Generic = "generic" // plain Go
)

// Best is the fastest path this processor has.
func Best() *Kernels[float32] {
	return &Kernels[float32]{available()[0]}
}

// For is the named path; an error when this processor, or this build, lacks it.
func For(name string) (*Kernels[float32], error) {
	for _, p := range available() {
		if p.name() == name {
			return &Kernels[float32]{p}, nil
		}
	}
	return nil, fmt.Errorf("kernel: no path %q on this machine", name)
}

// Available names the paths this processor has, fastest first.
func Available() []string {
	var names []string
	for _, p := range available() {
		names = append(names, p.name())
	}
	return names
}

// Reference is the plain Go path, in float32 or float64.
func Reference[T Float]() *Kernels[T] {
	return &Kernels[T]{generic[T]{}}
}

// Path names the path in use. Results of a training repeat to the bit on one
// path; see the package comment for what paths have in common.
func (ks *Kernels[T]) Path() string { return ks.path.name() }

// PanelWidth is the number of columns of one panel on this path.
func (ks *Kernels[T]) PanelWidth() int { return ks.path.panelWidth() }
