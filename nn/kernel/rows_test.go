package kernel

import (
	"fmt"
	"math"
	"testing"
)

// odd are the values that arithmetic treats specially.
var odd = []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-39, 3e38, -3e38,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

// spice sets every ninth or so element of x to an odd value.
func spice(x []float32, seed int) []float32 {
	for i := seed % 9; i < len(x); i += 7 + seed%4 {
		x[i] = odd[(i+seed)%len(odd)]
	}
	return x
}

// TestVectors holds each vector kernel of each path to the reference, to the
// bit, at lengths that leave every remainder.
func TestVectors(t *testing.T) {
	ref := generic[float32]{}
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for n := range 140 {
			a := newArena(t, uint64(n))
			d := spice(a.vec(n, n%4), n)
			x, y := spice(a.vec(n, n%3), n+1), spice(a.vec(n, n%5), n+2)
			u, v := spice(a.vec(n, n%2), n+3), spice(a.vec(n, n%6), n+4)
			s := a.rand.Float32()
			both := func(what string, f func(p path[float32], d []float32)) {
				t.Helper()
				want := append([]float32(nil), d...)
				f(ks.path, d)
				f(ref, want)
				sameVec(t, fmt.Sprintf("%s of %d", what, n), d, want)
			}
			for _, relu := range []bool{false, true} {
				both("sum1", func(p path[float32], d []float32) { p.sum1(d, x, relu) })
				both("sum2", func(p path[float32], d []float32) { p.sum2(d, x, y, relu) })
				both("sum3", func(p path[float32], d []float32) { p.sum3(d, x, y, u, relu) })
				both("sum4", func(p path[float32], d []float32) { p.sum4(d, x, y, u, v, relu) })
			}
			both("axpy", func(p path[float32], d []float32) { p.axpy(d, x, s) })
			both("addMul", func(p path[float32], d []float32) { p.addMul(d, x, y, s) })
			both("maskReLU", func(p path[float32], d []float32) { p.maskReLU(d, x) })
			both("scale", func(p path[float32], d []float32) { p.scale(d, x, s) })
			if n > 0 {
				both("dot", func(p path[float32], d []float32) { d[0] = p.dot(u, v) })
				p, q := a.vec(n, 1), a.vec(n, 2)
				both("dot", func(path path[float32], d []float32) { d[0] = path.dot(p, q) })
			}
			a.check()
		}
	})
}

func TestDot(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for n := range 200 {
			a := newArena(t, uint64(n))
			x, y := a.vec(n, n%4), a.vec(n, n%3)
			var want, mass float64
			for i := range x {
				p := float64(x[i]) * float64(y[i])
				want += p
				mass += math.Abs(p)
			}
			if got := ks.Dot(x, y); !near(got, want, mass, n) {
				t.Fatalf("dot of %d is %v, want %v", n, got, want)
			}
		}
	})
}

// TestRows holds the row kernels to their doc comments' loops, in float64.
func TestRows(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for _, cols := range []int{1, 3, 8, 16, 37, 128} {
			a := newArena(t, uint64(cols))
			const m, classes = 11, 5
			idx := func() []int32 {
				x := make([]int32, m)
				for i := range x {
					x[i] = int32(a.rand.IntN(classes))
				}
				return x
			}
			p, q, own := a.view(classes, cols, 3, 1), a.view(classes, cols, 0, 2), a.view(m, cols, 1, 0)
			bias, weight := a.vec(cols, 1), a.vec(m, 3)
			pi, qi := idx(), idx()
			dst := a.view(m, cols, 5, 3)
			each := func(what string, terms int, got View[float32], want func(r, c int) (sum, mass float64)) {
				t.Helper()
				for r := range got.Rows {
					for c := range cols {
						sum, mass := want(r, c)
						if !near(got.Row(r)[c], sum, mass, terms) {
							t.Fatalf("%s, %d columns: (%d, %d) is %v, want %v", what, cols, r, c, got.Row(r)[c], sum)
						}
					}
				}
			}
			value := func(v View[float32], r, c int) float64 { return float64(v.Row(r)[c]) }
			mass := math.Abs

			ks.AddRows(dst, true, bias, Rows[float32]{p, pi}, Rows[float32]{q, qi}, Rows[float32]{own, nil})
			each("AddRows of four", 4, dst, func(r, c int) (float64, float64) {
				b, x, y, z := float64(bias[c]), value(p, int(pi[r]), c), value(q, int(qi[r]), c), value(own, r, c)
				return max(0, b+x+y+z), mass(b) + mass(x) + mass(y) + mass(z)
			})
			ks.AddRows(dst, false, nil, Rows[float32]{q, qi})
			each("AddRows of one", 0, dst, func(r, c int) (float64, float64) { return value(q, int(qi[r]), c), 0 })

			csr := CSR[float32]{Off: []int32{0}}
			for r := range m {
				for range r % 4 {
					csr.Col = append(csr.Col, int32(a.rand.IntN(classes)))
					csr.Cnt = append(csr.Cnt, float32(1+a.rand.IntN(3)))
				}
				csr.Off = append(csr.Off, int32(len(csr.Col)))
			}
			for kind := range 4 {
				lists, add := csr, kind%2 == 1
				if kind >= 2 {
					lists.Cnt = nil
				}
				old := clone(dst)
				ks.SegmentSum(dst, lists, p, add)
				each("SegmentSum", 5, dst, func(r, c int) (sum, abs float64) {
					if add {
						sum = value(old, r, c)
						abs = mass(sum)
					}
					for e := lists.Off[r]; e < lists.Off[r+1]; e++ {
						x := value(p, int(lists.Col[e]), c)
						if lists.Cnt != nil {
							x *= float64(lists.Cnt[e])
						}
						sum += x
						abs += mass(x)
					}
					return sum, abs
				})
			}

			target := a.view(classes, cols, 2, 1)
			old := clone(target)
			ks.ScatterAdd(target, pi, own)
			each("ScatterAdd", m, target, func(r, c int) (float64, float64) {
				sum := value(old, r, c)
				abs := mass(sum)
				for i, j := range pi {
					if int(j) == r {
						sum += value(own, i, c)
						abs += mass(value(own, i, c))
					}
				}
				return sum, abs
			})

			y := clone(dst)
			ks.MaskReLU(dst, own)
			each("MaskReLU", 0, dst, func(r, c int) (float64, float64) {
				if value(own, r, c) > 0 {
					return value(y, r, c), 0
				}
				return 0, 0
			})

			sums := a.view(1, cols, 0, 1)
			for kind := range 4 {
				add, w := kind%2 == 1, weight
				if kind >= 2 {
					w = nil
				}
				old := clone(sums)
				ks.ColSum(sums.Row(0), own, w, add)
				each("ColSum", m+1, sums, func(_, c int) (sum, abs float64) {
					if add {
						sum = value(old, 0, c)
						abs = mass(sum)
					}
					for r := range m {
						x := value(own, r, c)
						if w != nil {
							x *= float64(w[r])
						}
						sum += x
						abs += mass(x)
					}
					return sum, abs
				})
			}
			old = clone(sums)
			ks.MaskedColSum(sums.Row(0), own, dst, weight)
			each("MaskedColSum", 2*m, sums, func(_, c int) (float64, float64) {
				sum := value(old, 0, c)
				abs := mass(sum)
				for r := range m {
					x := value(own, r, c) * value(dst, r, c) * float64(weight[r])
					sum += x
					abs += mass(x)
				}
				return sum, abs
			})

			old = clone(dst)
			ks.AddOuter(dst, weight, bias)
			each("AddOuter", 1, dst, func(r, c int) (float64, float64) {
				x, z := float64(weight[r])*float64(bias[c]), value(old, r, c)
				return x + z, mass(x) + mass(z)
			})
			old = clone(dst)
			ks.AddMaskedOuter(dst, weight, bias, own)
			each("AddMaskedOuter", 2, dst, func(r, c int) (float64, float64) {
				x, z := float64(weight[r])*float64(bias[c])*value(own, r, c), value(old, r, c)
				return x + z, mass(x) + mass(z)
			})

			dots := a.vec(m, 2)
			ks.RowDots(dots, own, bias)
			for r, got := range dots {
				if want := ks.Dot(own.Row(r), bias); got != want {
					t.Fatalf("RowDots %d is %v, Dot %v", r, got, want)
				}
			}
			a.check()
		}
	})
}

func TestSoftmax(t *testing.T) {
	ks := Best()
	q := []float32{83, 79, 100, 99.5, 87}
	count := []float32{2, 1, 3, 1, 40}
	p := make([]float32, len(q))
	for _, count := range [][]float32{nil, count} {
		ks.Softmax(p, q, count)
		var sum float64
		want := make([]float64, len(q))
		for i := range q {
			want[i] = math.Exp(float64(q[i]) - 100)
			if count != nil {
				want[i] *= float64(count[i])
			}
			sum += want[i]
		}
		for i := range want {
			if math.Abs(want[i]/sum-float64(p[i])) > 1.5e-7*want[i]/sum {
				t.Errorf("p[%d] = %v, want %v", i, p[i], want[i]/sum)
			}
		}
	}
	ks.Softmax(nil, nil, nil)
}
