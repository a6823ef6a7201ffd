package kernel

import "time"

// FMAPeak measures the floating-point operations per second that one core does
// in fused multiply-adds on registers alone (plain ones on the generic path):
// the ceiling for the matrix products. It takes some 30 ms and answers the best
// of many short runs, since a shared machine can only make it slower.
func (ks *Kernels[T]) FMAPeak() float64 {
	const turns, runs = 20000, 100
	var best float64
	for range runs {
		start := time.Now()
		flops := ks.path.peak(turns)
		best = max(best, flops/time.Since(start).Seconds())
	}
	return best
}
