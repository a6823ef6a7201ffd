package main

import (
	"github.com/mmcloughlin/avo/operand"
)

// dot emits Dot's loop: 32 partial sums in 32/width registers, folded in halves.
func (g *gen) dot() {
	const lanes = 32
	g.fn("dot", "x, y *float32, n int, sum *float32", "is *sum = Σ x[i]·y[i] in Kernels.Dot's order.")
	x, y, n := g.arg("x"), g.arg("y"), g.arg("n")
	part := g.vecs(lanes / g.width)
	for _, p := range part {
		g.zero(p)
	}
	g.SUBQ(num(lanes), n)
	g.JLT(operand.LabelRef("fold"))
	g.Label("vector")
	for i, p := range part {
		v := g.vec()
		g.VMOVUPS(at(x, i*g.bytes()), v)
		g.VMULPS(at(y, i*g.bytes()), v, v)
		g.VADDPS(v, p, p)
	}
	g.ADDQ(num(4*lanes), x)
	g.ADDQ(num(4*lanes), y)
	g.SUBQ(num(lanes), n)
	g.JGE(operand.LabelRef("vector"))

	g.Label("fold")
	for len(part) > 1 {
		half := len(part) / 2
		for i := range half {
			g.VADDPS(part[half+i], part[i], part[i])
		}
		part = part[:half]
	}
	sum := part[0]
	if g.wide {
		high := g.YMM()
		g.VEXTRACTF64X4(operand.Imm(1), sum, high)
		g.VADDPS(high, sum.AsY(), sum.AsY())
	}
	high := g.XMM()
	g.VEXTRACTF128(operand.Imm(1), sum.AsY(), high)
	s := sum.AsX()
	g.VADDPS(high, s, s)
	g.VPERMILPS(operand.Imm(0x0e), s, high) // elements 2 and 3 to 0 and 1
	g.VADDPS(high, s, s)
	g.VPERMILPS(operand.Imm(0x01), s, high) // element 1 to 0
	g.VADDPS(high, s, s)

	g.ADDQ(num(lanes), n)
	g.JEQ(operand.LabelRef("end"))
	g.Label("element")
	v := g.XMM()
	g.VMOVSS(at(x, 0), v)
	g.VMULSS(at(y, 0), v, v)
	g.VADDSS(v, s, s)
	g.ADDQ(num(4), x)
	g.ADDQ(num(4), y)
	g.DECQ(n)
	g.JNE(operand.LabelRef("element"))
	g.Label("end")
	g.VMOVSS(s, at(g.arg("sum"), 0))
	g.ret()
}

// peakChains is the independent chains of the peak loop: more than any
// processor's latency times its multipliers.
const peakChains = 12

// peak emits fused multiply-adds on registers alone, as fast as they go.
func (g *gen) peak() {
	g.fn("peak", "turns int", label("runs turns × %d fused multiply-adds of whole vectors, on registers.", 2*peakChains))
	turns := g.arg("turns")
	sums := g.vecs(peakChains)
	x := g.vec()
	g.zero(x)
	for _, s := range sums {
		g.zero(s)
	}
	g.Label("turn")
	for range 2 {
		for _, s := range sums {
			g.VFMADD231PS(x, x, s)
		}
	}
	g.DECQ(turns)
	g.JNE(operand.LabelRef("turn"))
	g.ret()
}
