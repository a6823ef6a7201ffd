package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// guard fills what surrounds every operand; a kernel that writes outside its
// operands, or computes with what lies there, is found out by it.
const guard = 123456.5

// arena hands out operands at odd offsets between guard words.
type arena struct {
	t    testing.TB
	rand *rand.Rand
	all  [][]float32
	used [][]bool
}

func newArena(t testing.TB, seed uint64) *arena {
	return &arena{t: t, rand: rand.New(rand.NewPCG(seed, 1))}
}

// view is a random rows×cols matrix in [-1, 1) with gap guard words after each
// row, beginning offset elements past the start of an allocation.
func (a *arena) view(rows, cols, gap, offset int) View[float32] {
	stride := cols + gap
	buf := make([]float32, 32+offset+rows*stride+32)
	used := make([]bool, len(buf))
	for i := range buf {
		buf[i] = guard
	}
	data := buf[32+offset:][:max(0, rows*stride-gap)]
	v := View[float32]{data, rows, cols, stride}
	for r := range rows {
		row := v.Row(r)
		for c := range row {
			row[c] = a.rand.Float32()*2 - 1
			used[32+offset+r*stride+c] = true
		}
	}
	a.all = append(a.all, buf)
	a.used = append(a.used, used)
	return v
}

func (a *arena) vec(n, offset int) []float32 { return a.view(1, n, 0, offset).Data[:n:n] }

// check fails the test when a guard word has changed.
func (a *arena) check() {
	a.t.Helper()
	for i, buf := range a.all {
		for j, x := range buf {
			if !a.used[i][j] && x != guard {
				a.t.Fatalf("buffer %d: guard word %d is %v", i, j, x)
			}
		}
	}
}

// paths runs f once for each path this processor has.
func paths(t *testing.T, f func(t *testing.T, ks *Kernels[float32])) {
	for _, name := range Available() {
		t.Run(name, func(t *testing.T) {
			ks, err := For(name)
			if err != nil {
				t.Fatal(err)
			}
			f(t, ks)
		})
	}
}

// clone is v's values in a buffer without gaps.
func clone(v View[float32]) View[float32] {
	d := Dense(make([]float32, v.Rows*v.Cols), v.Rows, v.Cols)
	for r := range v.Rows {
		copy(d.Row(r), v.Row(r))
	}
	return d
}

// same fails unless the two matrices agree to the bit (any NaN equals any).
func same(t testing.TB, what string, got, want View[float32]) {
	for r := range want.Rows {
		sameVec(t, what, got.Row(r), want.Row(r))
	}
}

func sameVec(t testing.TB, what string, got, want []float32) {
	t.Helper()
	for c := range want {
		g, w := got[c], want[c]
		if math.Float32bits(g) != math.Float32bits(w) && !(g != g && w != w) {
			t.Fatalf("%s: element %d is %v, want %v", what, c, g, w)
		}
	}
}
