package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// isa is all that tells one instruction set's kernels from the other's.
type isa struct {
	name     string // suffix of the functions' names
	width    int    // float32 per vector
	rows     int    // of the tallest tile
	adamRows int    // rows of the tallest tile beside which Adam runs
	wide     bool   // ZMM and opmask registers
}

// The tiles are two vectors wide. Their height is what the registers hold: 16
// are 12 sums, 2 weights and 2 activations; of 32, 24 are sums. Adam beside a tile
// takes three more.
var (
	avx2   = isa{name: "AVX2", width: 8, rows: 6, adamRows: 5}
	avx512 = isa{name: "AVX512", width: 16, rows: 12, adamRows: 12, wide: true}
)

// gen emits functions of one instruction set.
type gen struct {
	*build.Context
	isa
}

// fn begins a function; name is without the instruction set's suffix.
func (g *gen) fn(name, params string, doc ...string) {
	g.Function(name + g.name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr("func(" + params + ")")
	doc[0] = name + g.name + " " + doc[0]
	g.Doc(doc...)
	g.Pragma("noescape")
}

// vec is a fresh vector register.
func (g *gen) vec() reg.VecVirtual {
	if g.wide {
		return g.ZMM()
	}
	return g.YMM()
}

func (g *gen) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = g.vec()
	}
	return v
}

func (g *gen) bytes() int { return 4 * g.width }

// zero clears v. AVX-512 F has no VXORPS, and avo does not know that VPXORD of a
// register with itself reads nothing.
func (g *gen) zero(v reg.Register) {
	if !g.wide {
		g.VXORPS(v, v, v)
		return
	}
	i, err := x86.VPXORD(v, v, v)
	if err != nil {
		panic(err)
	}
	i.CancellingInputs = true
	g.Instruction(i)
}

// arg loads an 8-byte parameter into a fresh register.
func (g *gen) arg(name string) reg.GPVirtual {
	r := g.GP64()
	g.Load(g.Param(name), r)
	return r
}

// argMem is a parameter where it lies on the stack.
func (g *gen) argMem(name string) operand.Mem {
	c, err := g.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return c.Addr
}

// spread loads a float32 parameter into all elements of a fresh vector.
func (g *gen) spread(name string) reg.VecVirtual {
	v := g.vec()
	g.VBROADCASTSS(g.argMem(name), v)
	return v
}

func at(base reg.Register, disp int) operand.Mem {
	return operand.Mem{Base: base, Disp: disp}
}

// num is a number in integer arithmetic.
func num(x int) operand.Op { return operand.I32(x) }

func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func (g *gen) ret() {
	g.VZEROUPPER()
	g.RET()
}
