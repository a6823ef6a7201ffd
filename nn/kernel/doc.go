// Package kernel holds the arithmetic the network spends its time in: matrix
// products against packed weights, Adam, and operations on rows of float32.
//
// # Paths
//
// A [Kernels] value runs one path, fixed when it is made: "avx512" and "avx2"
// are generated assembly (see _asm), "generic" is plain Go and the reference.
// [Best] takes the widest the processor has, [For] a named one, [Reference]
// the plain one for float32 or float64. A Kernels value holds no state and may
// be shared by any number of goroutines.
//
// # What agrees to the bit
//
// Everything but the matrix products (Gemm, GemmT, GemmGrad, GradAdam) rounds
// after each multiplication and each addition, in an order the doc comments
// give, so all paths and all processors agree to the bit. The matrix products
// use fused multiply-add on the assembly paths: each element is one chain of
// fused additions in ascending order of the summed index, whatever the
// blocking, so avx2 and avx512 agree with each other to the bit. On the generic
// path each element is summed in float64 and rounded once, so it agrees with them
// within their rounding. Every kernel gives the same bits run after run.
//
// # Packed weights
//
// A K×N weight matrix lives in column panels ([Panels]): panel p holds columns
// p·NR to p·NR+NR−1, row after row, the last one filled up with zeros, where NR
// is the path's [Kernels.PanelWidth]. The forward product reads panels as they
// are, the gradient is produced in the same layout, Adam does not care, and the
// product with the transpose transposes one block at a time into scratch: so
// weights, moments and gradients stay packed for a whole training. Padding stays
// zero: its gradient is zero, and Adam maps (0, 0, 0, 0) to (0, 0, 0).
//
// # Shapes and errors
//
// Kernels are the innermost layer: they panic, with constant messages, when
// shapes disagree. They never allocate.
package kernel

//go:generate go -C _asm run . ..
