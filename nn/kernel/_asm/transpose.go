package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose emits the turning of panel blocks, for the product with the
// transposed weights. It works on 8×8 corners in YMM registers on either
// instruction set: shuffles run at the same rate per element.
func (g *gen) transpose() {
	g.fn("transpose", "dst, src *float32, stride, count int",
		"turns count square blocks of panelWidth × panelWidth elements",
		"that lie stride bytes apart into blocks that follow each other:",
		"",
		"\tdst[(p·panelWidth+c)·panelWidth+r] = src[p·stride+r·panelWidth+c]")
	dst, src, stride, count := g.arg("dst"), g.arg("src"), g.arg("stride"), g.arg("count")
	nr := 2 * g.width
	row := 4 * nr
	g.Label("block")
	for r := 0; r < nr; r += 8 {
		for c := 0; c < nr; c += 8 {
			g.corner(at(src, r*row+4*c), at(dst, c*row+4*r), row)
		}
	}
	g.ADDQ(stride, src)
	g.ADDQ(num(nr*row), dst)
	g.DECQ(count)
	g.JNE(operand.LabelRef("block"))
	g.ret()
}

// corner turns one 8×8 block: halves of rows i and i+4 are loaded into one
// register, so that two levels of shuffles within halves are all it takes.
func (g *gen) corner(src, dst operand.Mem, row int) {
	half := func(r, c int) reg.VecVirtual { // rows r and r+4, columns c to c+3
		y := g.YMM()
		g.VBROADCASTF128(src.Offset(r*row+4*c), y)
		g.VINSERTF128(operand.Imm(1), src.Offset((r+4)*row+4*c), y, y)
		return y
	}
	for c := 0; c < 8; c += 4 {
		r0, r1, r2, r3 := half(0, c), half(1, c), half(2, c), half(3, c)
		a, b, d, e := g.YMM(), g.YMM(), g.YMM(), g.YMM()
		g.VUNPCKLPS(r1, r0, a) // r0[0] r1[0] r0[1] r1[1]
		g.VUNPCKHPS(r1, r0, b) // r0[2] r1[2] r0[3] r1[3]
		g.VUNPCKLPS(r3, r2, d)
		g.VUNPCKHPS(r3, r2, e)
		for i, pair := range [][2]reg.VecVirtual{{a, d}, {a, d}, {b, e}, {b, e}} {
			y := g.YMM()
			select2 := uint64(0x44) // low halves of both
			if i%2 == 1 {
				select2 = 0xee
			}
			g.VSHUFPS(operand.Imm(select2), pair[1], pair[0], y)
			g.VMOVUPS(y, dst.Offset((c+i)*row))
		}
	}
}

// strip emits the copying of one panel's columns out of row-major rows, so that
// the tiles of a gradient find them side by side: rows a power of two apart
// would share a few sets of the L1 cache and push each other out.
func (g *gen) strip() {
	g.fn("strip", "dst, src *float32, stride, rows int",
		"copies the first panelWidth elements of rows that lie stride bytes apart:",
		"",
		"\tdst[r·panelWidth+c] = src[r·stride+c]")
	dst, src, stride, rows := g.arg("dst"), g.arg("src"), g.arg("stride"), g.arg("rows")
	g.Label("row")
	v := g.vecs(2)
	for i := range v {
		g.VMOVUPS(at(src, i*g.bytes()), v[i])
	}
	for i := range v {
		g.VMOVUPS(v[i], at(dst, i*g.bytes()))
	}
	g.ADDQ(stride, src)
	g.ADDQ(num(2*g.bytes()), dst)
	g.DECQ(rows)
	g.JNE(operand.LabelRef("row"))
	g.ret()
}
