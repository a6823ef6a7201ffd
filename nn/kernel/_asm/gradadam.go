package main

import (
	"math/bits"
	"slices"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gradAdam emits the gradient of one panel with Adam running beside it: while a
// tile's sums keep the multipliers busy, Adam updates the weights of the tiles
// before it, whose gradients wait in the L1 cache. Its square roots and divisions
// take the divider, which the sums leave idle, and the weights and moments come
// from memory meanwhile.
func (g *gen) gradAdam() {
	g.fn("gradAdam", "grad, x, b *float32, ldx, k, h, count, rest int, w, m, v, coef *float32",
		"computes a panel of gradient, h·count + (h−1)·rest rows, and",
		"updates that panel's weights and moments by it as Kernels.Adam does:",
		"",
		"\tgrad[i·panelWidth+j] = Σ_k x[i+k·ldx]·b[k·panelWidth+j]",
		"",
		"ldx is in bytes. coef is one vector each of rate, decay, 1−β1, 1−β2, alpha, epsilon.")
	t := &gradAdamGen{gen: g, x: g.arg("x"), b: g.arg("b"), ldx: g.arg("ldx"), w: g.arg("w"), coef: g.arg("coef")}
	// Moments and gradient by their distance from the weights.
	t.dm, t.dv, t.dg = g.arg("m"), g.arg("v"), g.arg("grad")
	for _, d := range []reg.Register{t.dm, t.dv, t.dg} {
		g.SUBQ(t.w, d)
	}
	h := g.arg("h")
	for i := g.adamRows; i > 1; i-- {
		g.CMPQ(h, num(i))
		g.JEQ(operand.LabelRef(label("tile%d", i)))
	}
	g.JMP(operand.LabelRef("tile1"))
	for i := g.adamRows; i > 0; i-- {
		t.height(i)
	}
	t.remainder()
	g.ret()
}

type gradAdamGen struct {
	*gen
	x, b, ldx  reg.Register
	w          reg.Register // where Adam is
	dm, dv, dg reg.Register // m−w, v−w, g−w
	coef       reg.Register
}

// aheadBytes is how far ahead of the gradient weights and moments are prefetched:
// measured best among 1, 2, 4 and 8 KB, with some 1 µs left for memory to answer.
const aheadBytes = 4096

func (t *gradAdamGen) height(h int) {
	rowBytes := 2 * t.bytes()
	t.Label(label("tile%d", h))
	sum := t.vecs(2 * h)
	for _, s := range sum {
		t.zero(s)
	}
	tile := t.arg("grad") // this tile's weights
	t.SUBQ(t.dg, tile)
	for disp := aheadBytes; disp < aheadBytes+h*rowBytes; disp += 64 {
		t.PREFETCHT0(at(tile, disp))
		t.PREFETCHT0(operand.Mem{Base: tile, Disp: disp, Index: t.dm, Scale: 1})
		t.PREFETCHT0(operand.Mem{Base: tile, Disp: disp, Index: t.dv, Scale: 1})
	}
	turns := t.arg("k")
	t.SHRQ(operand.Imm(uint64(bits.TrailingZeros(uint(unroll)))), turns)
	x, b := t.GP64(), t.GP64()
	t.MOVQ(t.x, x)
	t.MOVQ(t.b, b)
	// A lower tile than this is the panel's only one: no gradient before it.
	if h >= (t.adamRows+1)/2 {
		t.beside(h, sum, tile, turns, x, b)
	}
	t.TESTQ(turns, turns)
	t.JEQ(operand.LabelRef(label("tail%d", h)))
	t.Label(label("loop%d", h))
	for i := range unroll {
		t.step(h, sum, x, b, i*rowBytes)
	}
	t.ADDQ(num(rowBytes*unroll), b)
	t.DECQ(turns)
	t.JNE(operand.LabelRef(label("loop%d", h)))

	t.Label(label("tail%d", h))
	k := t.arg("k")
	t.ANDQ(num(unroll-1), k)
	t.JEQ(operand.LabelRef(label("store%d", h)))
	t.Label(label("one%d", h))
	t.step(h, sum, x, b, 0)
	t.ADDQ(num(rowBytes), b)
	t.DECQ(k)
	t.JNE(operand.LabelRef(label("one%d", h)))

	t.Label(label("store%d", h))
	g := t.arg("grad")
	for i, s := range sum {
		t.VMOVUPS(s, at(g, i*t.bytes()))
	}
	t.ADDQ(num(h*rowBytes), g)
	t.MOVQ(g, t.argMem("grad"))
	t.ADDQ(num(4*h), t.x)

	t.DECQ(t.argMem("count"))
	t.JNE(operand.LabelRef(label("tile%d", h)))
	if h == 1 {
		return
	}
	t.Comment("On to the tiles one row lower, if any.")
	rest := t.arg("rest")
	t.MOVQ(rest, t.argMem("count"))
	t.MOVQ(num(0), t.argMem("rest"))
	t.TESTQ(rest, rest)
	t.JEQ(operand.LabelRef("remainder"))
}

// beside emits turns with one row of Adam in each, as many as there are gradients
// waiting before tile; it leaves the other turns.
//
// A processor looks ahead of what it waits for by some hundred registers, which
// is less than the time from a gradient to its weight. So Adam is two stages, the
// second one row behind the first.
func (t *gradAdamGen) beside(h int, sum []reg.VecVirtual, tile, turns, x, b reg.Register) {
	rowBytes := 2 * t.bytes()
	rows := tile
	t.SUBQ(t.w, rows)
	t.JEQ(operand.LabelRef(label("alone%d", h)))
	started := t.argMem("h")
	t.CMPQ(started, num(0))
	t.JEQ(operand.LabelRef(label("started%d", h)))
	t.moments(0)
	t.MOVQ(num(0), started)
	t.Label(label("started%d", h))

	t.SHRQ(operand.Imm(uint64(bits.TrailingZeros(uint(rowBytes)))), rows)
	t.DECQ(rows)
	t.CMPQ(rows, turns)
	t.CMOVQGT(turns, rows)
	t.SUBQ(rows, turns)
	t.TESTQ(rows, rows)
	t.JEQ(operand.LabelRef(label("alone%d", h)))
	t.Label(label("both%d", h))
	adam := t.adamRow()
	for i := range unroll {
		t.step(h, sum, x, b, i*rowBytes)
		for _, op := range adam[i*len(adam)/unroll : (i+1)*len(adam)/unroll] {
			op()
		}
	}
	t.ADDQ(num(rowBytes), t.w)
	t.ADDQ(num(rowBytes*unroll), b)
	t.DECQ(rows)
	t.JNE(operand.LabelRef(label("both%d", h)))
	t.Label(label("alone%d", h))
}

// step adds one k: sum[i, :] += x[i]·b[:].
func (t *gradAdamGen) step(h int, sum []reg.VecVirtual, x, b reg.Register, disp int) {
	y := t.vecs(2)
	t.VMOVUPS(at(b, disp), y[0])
	t.VMOVUPS(at(b, disp+t.bytes()), y[1])
	for i := range h {
		a := t.vec()
		t.VBROADCASTSS(at(x, 4*i), a)
		t.VFMADD231PS(y[0], a, sum[2*i])
		t.VFMADD231PS(y[1], a, sum[2*i+1])
	}
	t.ADDQ(t.ldx, x)
}

const rate, decay, mean, square, alpha, epsilon = 0, 1, 2, 3, 4, 5 // in coef

func (t *gradAdamGen) coefficient(i int) operand.Mem { return at(t.coef, i*t.bytes()) }

// from addresses what lies disp bytes past w in the array at distance d.
func (t *gradAdamGen) from(d reg.Register, disp int) operand.Mem {
	return operand.Mem{Base: t.w, Disp: disp, Index: d, Scale: 1}
}

// adamRow is the first stage on the row after w and the second on w's.
func (t *gradAdamGen) adamRow() []func() {
	rowBytes := 2 * t.bytes()
	return slices.Concat(t.momentOps(rowBytes), t.momentOps(rowBytes+t.bytes()), t.weightOps(0), t.weightOps(t.bytes()))
}

// moments emits the first stage on the row disp bytes past w.
func (t *gradAdamGen) moments(disp int) {
	for _, op := range slices.Concat(t.momentOps(disp), t.momentOps(disp+t.bytes())) {
		op()
	}
}

// weights emits the second stage on w's row.
func (t *gradAdamGen) weights() {
	for _, op := range slices.Concat(t.weightOps(0), t.weightOps(t.bytes())) {
		op()
	}
}

// momentOps is Adam's first stage on the vector disp bytes past w: the moments,
// and the divisor in the place of the gradient.
func (t *gradAdamGen) momentOps(disp int) []func() {
	p, q, r := t.vec(), t.vec(), t.vec()
	g, m, v := t.from(t.dg, disp), t.from(t.dm, disp), t.from(t.dv, disp)
	return []func(){
		func() { t.VMOVUPS(g, p) },
		func() { t.VMULPS(p, p, r) },
		func() { t.VMOVUPS(v, q) },
		func() { t.VSUBPS(q, r, r) },
		func() { t.VMULPS(t.coefficient(square), r, r) },
		func() { t.VADDPS(r, q, q) },
		func() { t.VMOVUPS(q, v) },
		func() { t.VSQRTPS(q, q) },
		func() { t.VADDPS(t.coefficient(epsilon), q, q) },
		func() { t.VMOVUPS(q, g) },
		func() { t.VMOVUPS(m, q) },
		func() { t.VSUBPS(q, p, r) },
		func() { t.VMULPS(t.coefficient(mean), r, r) },
		func() { t.VADDPS(r, q, q) },
		func() { t.VMOVUPS(q, m) },
	}
}

// weightOps is Adam's second stage.
func (t *gradAdamGen) weightOps(disp int) []func() {
	p, q, r := t.vec(), t.vec(), t.vec()
	w := at(t.w, disp)
	return []func(){
		func() { t.VMOVUPS(t.from(t.dm, disp), q) },
		func() { t.VMULPS(t.coefficient(alpha), q, q) },
		func() { t.VDIVPS(t.from(t.dg, disp), q, q) },
		func() { t.VMOVUPS(w, p) },
		func() { t.VMULPS(t.coefficient(decay), p, r) },
		func() { t.VMULPS(t.coefficient(rate), r, r) },
		func() { t.VSUBPS(r, p, p) },
		func() { t.VSUBPS(q, p, p) },
		func() { t.VMOVUPS(p, w) },
	}
}

// remainder runs Adam on what no later tile hides.
func (t *gradAdamGen) remainder() {
	t.Label("remainder")
	end := t.arg("grad")
	t.SUBQ(t.dg, end)
	t.SUBQ(num(2*t.bytes()), end)
	t.CMPQ(t.argMem("h"), num(0))
	t.JEQ(operand.LabelRef("started"))
	t.moments(0)
	t.Label("started")
	t.CMPQ(t.w, end)
	t.JEQ(operand.LabelRef("last"))
	t.Label("row")
	for _, op := range t.adamRow() {
		op()
	}
	t.ADDQ(num(2*t.bytes()), t.w)
	t.CMPQ(t.w, end)
	t.JNE(operand.LabelRef("row"))
	t.Label("last")
	t.weights()
}
