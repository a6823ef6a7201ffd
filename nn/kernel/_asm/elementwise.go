package main

import (
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lane is arithmetic on either one vector or, for what a slice leaves over, one
// element. Each operation rounds by itself: no multiplication is fused with an
// addition, so results are those of plain Go.
type lane struct {
	*gen
	scalar bool
	index  reg.Register
}

// each emits a loop over n elements, body once by vectors, once by elements.
func (g *gen) each(n reg.Register, body func(lane)) {
	i, w := g.GP64(), g.width
	g.XORQ(i, i)
	g.SUBQ(num(w), n)
	g.JLT(operand.LabelRef("tail"))
	g.Label("vector")
	body(lane{g, false, i})
	g.ADDQ(num(w), i)
	g.SUBQ(num(w), n)
	g.JGE(operand.LabelRef("vector"))
	g.Label("tail")
	g.ADDQ(num(w), n)
	g.JEQ(operand.LabelRef("end"))
	g.Label("element")
	body(lane{g, true, i})
	g.INCQ(i)
	g.DECQ(n)
	g.JNE(operand.LabelRef("element"))
	g.Label("end")
}

func (l lane) mem(base reg.Register) operand.Mem {
	return operand.Mem{Base: base, Index: l.index, Scale: 4}
}

func (l lane) reg(v reg.VecVirtual) reg.Register {
	if l.scalar {
		return v.AsX()
	}
	return v
}

func (l lane) load(base reg.Register) reg.VecVirtual {
	v := l.vec()
	if l.scalar {
		l.VMOVSS(l.mem(base), v.AsX())
	} else {
		l.VMOVUPS(l.mem(base), v)
	}
	return v
}

func (l lane) store(v reg.VecVirtual, base reg.Register) {
	if l.scalar {
		l.VMOVSS(v.AsX(), l.mem(base))
	} else {
		l.VMOVUPS(v, l.mem(base))
	}
}

// x and y are registers; the results go to x.

func (l lane) add(x, y reg.VecVirtual) { l.op(l.VADDPS, l.VADDSS, y, x, x) }
func (l lane) mul(x, y reg.VecVirtual) { l.op(l.VMULPS, l.VMULSS, y, x, x) }
func (l lane) sub(x, y reg.VecVirtual) { l.op(l.VSUBPS, l.VSUBSS, y, x, x) }
func (l lane) div(x, y reg.VecVirtual) { l.op(l.VDIVPS, l.VDIVSS, y, x, x) }

// atLeast raises x to floor; a NaN in x stays, as max answers its second operand
// when one is NaN.
func (l lane) atLeast(x, floor reg.VecVirtual) { l.op(l.VMAXPS, l.VMAXSS, x, floor, x) }

func (l lane) sqrt(x reg.VecVirtual) reg.VecVirtual {
	y := l.vec()
	if l.scalar {
		l.VSQRTSS(x.AsX(), x.AsX(), y.AsX())
	} else {
		l.VSQRTPS(x, y)
	}
	return y
}

func (l lane) op(packed, single func(...operand.Op), second, first, dst reg.VecVirtual) {
	if l.scalar {
		packed = single
	}
	packed(l.reg(second), l.reg(first), l.reg(dst))
}

func (g *gen) adam() {
	g.fn("adam", "w, m, v, grad *float32, n int, rate, decay, mean, square, alpha, epsilon float32",
		"is Kernels.Adam's loop.")
	w, m, v, grad := g.arg("w"), g.arg("m"), g.arg("v"), g.arg("grad")
	rate, decay, mean, square := g.spread("rate"), g.spread("decay"), g.spread("mean"), g.spread("square")
	alpha, epsilon := g.spread("alpha"), g.spread("epsilon")
	g.each(g.arg("n"), func(l lane) {
		G, M := l.load(grad), l.load(m)
		step := l.vec()
		l.op(l.VSUBPS, l.VSUBSS, M, G, step)
		l.mul(step, mean)
		l.add(M, step)
		l.store(M, m)

		V := l.load(v)
		l.mul(G, G)
		l.sub(G, V)
		l.mul(G, square)
		l.add(V, G)
		l.store(V, v)

		root := l.sqrt(V)
		l.add(root, epsilon)
		l.mul(M, alpha)
		l.div(M, root)

		W := l.load(w)
		loss := l.vec()
		l.op(l.VMULPS, l.VMULSS, decay, W, loss)
		l.mul(loss, rate)
		l.sub(W, loss)
		l.sub(W, M)
		l.store(W, w)
	})
	g.ret()
}

// sums emits sum1 to sum4, AddRows' loops.
func (g *gen) sums() {
	names := []string{"a", "b", "c", "d"}
	for n := 1; n <= len(names); n++ {
		ops := names[:n]
		g.fn(label("sum%d", n), "dst, "+strings.Join(ops, ", ")+" *float32, n int, floor float32",
			"is dst[i] = max(floor, "+strings.Join(ops, "[i] + ")+"[i]), left to right; NaN stays NaN.")
		dst := g.arg("dst")
		var src []reg.Register
		for _, name := range ops {
			src = append(src, g.arg(name))
		}
		floor := g.spread("floor")
		g.each(g.arg("n"), func(l lane) {
			s := l.load(src[0])
			for _, base := range src[1:] {
				l.add(s, l.load(base))
			}
			l.atLeast(s, floor)
			l.store(s, dst)
		})
		g.ret()
	}
}

func (g *gen) maskReLU() {
	const greater = 0x1e // ordered, quiet
	g.fn("maskReLU", "dst, y *float32, n int", "is dst[i] = 0 where not y[i] > 0.")
	dst, y := g.arg("dst"), g.arg("y")
	zero := g.vec()
	g.zero(zero)
	g.each(g.arg("n"), func(l lane) {
		Y := l.load(y)
		switch {
		case l.scalar:
			D := l.load(dst)
			l.VCMPSS(operand.Imm(greater), zero.AsX(), Y.AsX(), Y.AsX())
			l.VANDPS(Y.AsX(), D.AsX(), D.AsX())
			l.store(D, dst)
		case l.wide:
			D, k := l.vec(), l.K()
			l.VCMPPS(operand.Imm(greater), zero, Y, k)
			l.VMOVUPS_Z(l.mem(dst), k, D)
			l.store(D, dst)
		default:
			D := l.load(dst)
			l.VCMPPS(operand.Imm(greater), zero, Y, Y)
			l.VANDPS(Y, D, D)
			l.store(D, dst)
		}
	})
	g.ret()
}

func (g *gen) scale() {
	g.fn("scale", "dst, x *float32, n int, s float32", "is dst[i] = s·x[i].")
	dst, x, s := g.arg("dst"), g.arg("x"), g.spread("s")
	g.each(g.arg("n"), func(l lane) {
		v := l.load(x)
		l.mul(v, s)
		l.store(v, dst)
	})
	g.ret()
}

func (g *gen) axpy() {
	g.fn("axpy", "dst, x *float32, n int, s float32", "is dst[i] += s·x[i].")
	dst, x, s := g.arg("dst"), g.arg("x"), g.spread("s")
	g.each(g.arg("n"), func(l lane) {
		v, d := l.load(x), l.load(dst)
		l.mul(v, s)
		l.add(d, v)
		l.store(d, dst)
	})
	g.ret()
}

func (g *gen) addMul() {
	g.fn("addMul", "dst, x, y *float32, n int, s float32", "is dst[i] += (s·x[i])·y[i].")
	dst, x, y, s := g.arg("dst"), g.arg("x"), g.arg("y"), g.spread("s")
	g.each(g.arg("n"), func(l lane) {
		v, d := l.load(x), l.load(dst)
		l.mul(v, s)
		l.mul(v, l.load(y))
		l.add(d, v)
		l.store(d, dst)
	})
	g.ret()
}
