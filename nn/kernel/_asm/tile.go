package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tile emits the one kernel all matrix products run on: a column of tiles, each
// two vectors wide and up to isa.rows high, whose sums stay in registers while
// the summed index runs. The rows are count tiles of h rows, then rest of h−1:
// balanced, so that no tile is so low that its few chains of additions wait for
// each other.
//
// Beside the first turns of each tile's loop it prefetches some of what the caller
// will need next, so that memory works while the multipliers do.
func (g *gen) tile() {
	g.fn("tile", "c, init, a, b *float32, ldc, ldi, rs, cs, k, h, count, rest int, floor float32, fetch int, pf uintptr, left, chunk, hop int",
		"computes h·count + (h−1)·rest rows of one panel, strides in bytes:",
		"",
		"\tc[i·ldc+j] = max(floor, init[i·ldi+j] + Σ_k a[i·rs+k·cs]·b[k·panelWidth+j])",
		"",
		"where k runs over 4·fetch + k elements. A nil init counts as zeros. Each tile",
		"prefetches 4·fetch rows of a panel, going on from pf and skipping hop bytes after",
		"every 4·chunk rows, the first time after 4·left.")
	t := &tileGen{gen: g, c: g.arg("c"), init: g.arg("init"), a: g.arg("a"), b: g.arg("b"), rs: g.arg("rs"), cs: g.arg("cs")}
	t.rs3 = g.GP64()
	g.LEAQ(operand.Mem{Base: t.rs, Index: t.rs, Scale: 2}, t.rs3)
	t.rs5 = g.GP64()
	g.LEAQ(operand.Mem{Base: t.rs, Index: t.rs, Scale: 4}, t.rs5)

	h := g.arg("h")
	for i := g.rows; i > 1; i-- {
		g.CMPQ(h, num(i))
		g.JEQ(operand.LabelRef(label("tile%d", i)))
	}
	g.JMP(operand.LabelRef("tile1"))
	for i := g.rows; i > 0; i-- {
		t.height(i)
	}
	g.Label("done")
	g.ret()
}

type tileGen struct {
	*gen
	c, init, a, b reg.Register // of the current tile
	rs, cs        reg.Register
	rs3, rs5      reg.Register // 3·rs, 5·rs
}

// height emits the loop over the tiles of h rows.
func (t *tileGen) height(h int) {
	t.Label(label("tile%d", h))
	sum := t.vecs(2 * h)
	t.start(h, sum)
	t.sumUp(h, sum)
	t.finish(h, sum)

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
	t.JEQ(operand.LabelRef("done"))
}

func (t *tileGen) start(h int, sum []reg.VecVirtual) {
	t.TESTQ(t.init, t.init)
	t.JEQ(operand.LabelRef(label("zero%d", h)))
	ldi := t.arg("ldi")
	for i := range h {
		t.VMOVUPS(at(t.init, 0), sum[2*i])
		t.VMOVUPS(at(t.init, t.bytes()), sum[2*i+1])
		t.ADDQ(ldi, t.init)
	}
	t.JMP(operand.LabelRef(label("sum%d", h)))
	t.Label(label("zero%d", h))
	for _, s := range sum {
		t.zero(s)
	}
}

// unroll is the steps of the summed index per turn of the loop.
const unroll = 4

func (t *tileGen) sumUp(h int, sum []reg.VecVirtual) {
	t.Label(label("sum%d", h))
	a, b := t.GP64(), t.GP64()
	t.MOVQ(t.a, a)
	t.MOVQ(t.b, b)
	var a6 reg.Register // row 6
	if h > 6 {
		a6 = t.GP64()
		t.LEAQ(operand.Mem{Base: a, Index: t.rs3, Scale: 2}, a6)
	}
	t.fetch(h, sum, a, a6, b)
	k := t.arg("k")
	t.SUBQ(num(unroll), k)
	t.JLT(operand.LabelRef(label("tail%d", h)))
	t.Label(label("loop%d", h))
	for i := range unroll {
		t.step(h, sum, a, a6, b, 2*t.bytes()*i)
	}
	t.ADDQ(num(2*t.bytes()*unroll), b)
	t.SUBQ(num(unroll), k)
	t.JGE(operand.LabelRef(label("loop%d", h)))
	t.Label(label("tail%d", h))
	t.ADDQ(num(unroll), k)
	t.JEQ(operand.LabelRef(label("store%d", h)))
	t.Label(label("one%d", h))
	t.step(h, sum, a, a6, b, 0)
	t.ADDQ(num(2*t.bytes()), b)
	t.DECQ(k)
	t.JNE(operand.LabelRef(label("one%d", h)))
}

// fetch emits the turns beside which memory is prefetched, as much of it as they
// read of b.
func (t *tileGen) fetch(h int, sum []reg.VecVirtual, a, a6, b reg.Register) {
	n := t.arg("fetch")
	t.TESTQ(n, n)
	t.JEQ(operand.LabelRef(label("plain%d", h)))
	pf := t.arg("pf")
	t.Label(label("fetch%d", h))
	for i := range unroll {
		for line := 0; line < 2*t.bytes(); line += 64 {
			t.PREFETCHT0(at(pf, 2*t.bytes()*i+line))
		}
		t.step(h, sum, a, a6, b, 2*t.bytes()*i)
	}
	t.ADDQ(num(2*t.bytes()*unroll), b)
	t.ADDQ(num(2*t.bytes()*unroll), pf)
	t.DECQ(t.argMem("left"))
	t.JNE(operand.LabelRef(label("on%d", h)))
	t.ADDQ(t.argMem("hop"), pf)
	chunk := t.arg("chunk")
	t.MOVQ(chunk, t.argMem("left"))
	t.Label(label("on%d", h))
	t.DECQ(n)
	t.JNE(operand.LabelRef(label("fetch%d", h)))
	t.MOVQ(pf, t.argMem("pf"))
	t.Label(label("plain%d", h))
}

// step adds one k: sum[i, :] += a[i]·b[:].
func (t *tileGen) step(h int, sum []reg.VecVirtual, a, a6, b reg.Register, disp int) {
	w := t.vecs(2)
	t.VMOVUPS(at(b, disp), w[0])
	t.VMOVUPS(at(b, disp+t.bytes()), w[1])
	for i := range h {
		base := a
		if i >= 6 {
			base = a6
		}
		x := t.vec()
		t.VBROADCASTSS(t.row(base, i%6), x)
		t.VFMADD231PS(w[0], x, sum[2*i])
		t.VFMADD231PS(w[1], x, sum[2*i+1])
	}
	t.ADDQ(t.cs, a)
	if a6 != nil {
		t.ADDQ(t.cs, a6)
	}
}

// row addresses row i of six.
func (t *tileGen) row(base reg.Register, i int) operand.Mem {
	m := operand.Mem{Base: base, Index: t.rs, Scale: uint8(i)}
	switch i {
	case 0:
		return at(base, 0)
	case 3:
		m.Index, m.Scale = t.rs3, 1
	case 5:
		m.Index, m.Scale = t.rs5, 1
	}
	return m
}

func (t *tileGen) finish(h int, sum []reg.VecVirtual) {
	t.Label(label("store%d", h))
	floor := t.spread("floor")
	ldc := t.arg("ldc")
	for i := range h {
		// The sum goes second: max answers its second operand when one is NaN.
		t.VMAXPS(sum[2*i], floor, sum[2*i])
		t.VMAXPS(sum[2*i+1], floor, sum[2*i+1])
		t.VMOVUPS(sum[2*i], at(t.c, 0))
		t.VMOVUPS(sum[2*i+1], at(t.c, t.bytes()))
		t.ADDQ(ldc, t.c)
	}
	step := t.GP64()
	t.IMUL3Q(num(h), t.rs, step)
	t.ADDQ(step, t.a)
}
