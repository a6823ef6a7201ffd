package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"unsafe"
)

// An interpreter of the generated assembly, so that the AVX-512 kernels are
// tested where no processor runs them: it reads the .s files that ship and does
// to real memory what each instruction would. TestInterpreted puts it in the
// place of the assembly and runs this package's tests on it.

// program is one assembly file.
type program struct {
	code  []instruction
	entry map[string]int // of each function
	ran   []bool         // which instructions have been executed
}

type instruction struct {
	line   string
	do     func(m *machine, a []operand)
	args   []operand
	target int // of a jump
	jump   func(m *machine) bool
	ret    bool
}

type operandKind int

const (
	immediate operandKind = iota
	general
	vectorReg
	mask
	memory
)

type operand struct {
	kind       operandKind
	reg, lanes int    // of a register; lanes of a vector register: 4, 8 or 16
	imm        int    // immediate, or a memory operand's displacement
	base       int    // memory: general register; frame for FP
	index      int    // memory: general register
	scale      uint64 // of index; 0 for none
}

const frame = 16 // in place of a general register: the arguments

var generals = strings.Fields("AX CX DX BX SP BP SI DI R8 R9 R10 R11 R12 R13 R14 R15")

// load reads an assembly file in the form avo prints it.
func load(name string) (*program, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p := &program{entry: map[string]int{}}
	labels, jumps := map[string]int{}, map[int]string{}
	function := ""
	for n, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "//")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
			continue
		case strings.HasPrefix(line, "TEXT"):
			function, _, _ = strings.Cut(strings.TrimPrefix(line, "TEXT ·"), "(")
			p.entry[function] = len(p.code)
			continue
		case strings.HasSuffix(line, ":"):
			labels[function+" "+strings.TrimSuffix(line, ":")] = len(p.code)
			continue
		}
		op, rest, _ := strings.Cut(line, " ")
		i := instruction{line: fmt.Sprintf("%s:%d: %s", name, n+1, line), ret: op == "RET"}
		if i.jump = conditions[op]; i.jump != nil {
			jumps[len(p.code)] = function + " " + strings.TrimSpace(rest)
		} else if !i.ret {
			if i.do = semantics[op]; i.do == nil {
				return nil, fmt.Errorf("%s: unknown instruction", i.line)
			}
			for _, a := range strings.Split(rest, ",") {
				if a = strings.TrimSpace(a); a == "" {
					continue
				}
				arg, err := parseOperand(a)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", i.line, err)
				}
				i.args = append(i.args, arg)
			}
		}
		p.code = append(p.code, i)
	}
	for i, label := range jumps {
		target, ok := labels[label]
		if !ok {
			return nil, fmt.Errorf("%s: no such label", p.code[i].line)
		}
		p.code[i].target = target
	}
	p.ran = make([]bool, len(p.code))
	return p, nil
}

func parseOperand(s string) (operand, error) {
	if r := register(s); r >= 0 {
		return operand{kind: general, reg: r}, nil
	}
	switch {
	case s[0] == '$':
		x, err := strconv.ParseInt(s[1:], 0, 64)
		return operand{kind: immediate, imm: int(x)}, err
	case strings.IndexByte("XYZK", s[0]) >= 0 && !strings.Contains(s, "("):
		r, err := strconv.Atoi(s[1:])
		if s[0] == 'K' {
			return operand{kind: mask, reg: r}, err
		}
		return operand{kind: vectorReg, reg: r, lanes: 4 << strings.IndexByte("XYZ", s[0])}, err
	}
	// disp(base)(index*scale) or name+disp(FP)
	disp, rest, ok := strings.Cut(s, "(")
	if !ok {
		return operand{}, fmt.Errorf("operand %q", s)
	}
	if i := strings.IndexByte(disp, '+'); i >= 0 {
		disp = disp[i+1:]
	}
	m := operand{kind: memory}
	var err error
	if disp != "" {
		if m.imm, err = strconv.Atoi(disp); err != nil {
			return m, err
		}
	}
	base, index, _ := strings.Cut(strings.TrimSuffix(rest, ")"), ")(")
	if m.base = register(base); base == "FP" {
		m.base = frame
	}
	if index != "" {
		name, scale, _ := strings.Cut(index, "*")
		m.index = register(name)
		m.scale, err = strconv.ParseUint(scale, 10, 8)
	}
	if m.base < 0 || m.index < 0 {
		return m, fmt.Errorf("operand %q", s)
	}
	return m, err
}

func register(name string) int {
	for i, g := range generals {
		if name == g {
			return i
		}
	}
	return -1
}

// machine is the state of a processor.
type machine struct {
	general    [17]uint64 // the last is frame
	vector     [32][16]float32
	mask       [8]uint16
	zero, less bool // of the last comparison, signed
}

// call runs a function on arguments laid out as ABI0 does.
func (p *program) call(name string, args ...any) {
	start, ok := p.entry[name]
	if !ok {
		panic("no function " + name)
	}
	var stack []byte
	for _, a := range args {
		size := 8
		var bits uint64
		switch a := a.(type) {
		case *float32:
			bits = uint64(uintptr(unsafe.Pointer(a)))
		case int:
			bits = uint64(a)
		case uintptr:
			bits = uint64(a)
		case float32:
			bits, size = uint64(math.Float32bits(a)), 4
		default:
			panic(fmt.Sprintf("argument %T", a))
		}
		for len(stack)%size != 0 {
			stack = append(stack, 0)
		}
		stack = append(stack, binary.LittleEndian.AppendUint64(nil, bits)[:size]...)
	}
	stack = append(stack, make([]byte, 8)...)
	var m machine
	for i := range m.vector {
		for l := range m.vector[i] {
			m.vector[i][l] = guard // no register is zero before it is made so
		}
	}
	m.general[frame] = uint64(uintptr(unsafe.Pointer(&stack[0])))
	for pc := start; ; {
		i := &p.code[pc]
		p.ran[pc] = true
		pc++
		switch {
		case i.ret:
			pinned = append(pinned[:0], args, stack)
			return
		case i.jump != nil:
			if i.jump(&m) {
				pc = i.target
			}
		default:
			i.do(&m, i.args)
		}
	}
}

// pinned makes arguments escape to the heap, which does not move: the machine
// holds addresses.
var pinned []any

// address is not inlined: the compiler need not know where the pointer is from.
//
//go:noinline
func (m *machine) address(o operand) unsafe.Pointer {
	a := m.general[o.base] + uint64(o.imm) + o.scale*m.general[o.index]
	return *(*unsafe.Pointer)(unsafe.Pointer(&a))
}

func (m *machine) get(o operand) uint64 {
	switch o.kind {
	case immediate:
		return uint64(o.imm)
	case general:
		return m.general[o.reg]
	}
	return *(*uint64)(m.address(o))
}

func (m *machine) set(o operand, x uint64) {
	if o.kind == general {
		m.general[o.reg] = x
	} else {
		*(*uint64)(m.address(o)) = x
	}
}

// arith is a two-operand integer instruction; it sets the flags of its result.
func arith(f func(dst, src uint64) uint64) func(m *machine, a []operand) {
	return func(m *machine, a []operand) {
		dst := a[len(a)-1]
		x := f(m.get(dst), m.get(a[0]))
		m.set(dst, x)
		m.flags(int64(x))
	}
}

// flags are those of a result that did not overflow.
func (m *machine) flags(x int64) { m.zero, m.less = x == 0, x < 0 }

// lanes is a vector operand where it lies.
func (m *machine) lanes(o operand, lanes int) []float32 {
	if o.kind == vectorReg {
		return m.vector[o.reg][:lanes]
	}
	return unsafe.Slice((*float32)(m.address(o)), lanes)
}

// read is a vector operand of some lanes.
func (m *machine) read(o operand, lanes int) (v [16]float32) {
	if o.kind == vectorReg {
		return m.vector[o.reg]
	}
	copy(v[:], m.lanes(o, lanes))
	return v
}

// write sets a register's lanes and zeroes the others, or writes memory.
func (m *machine) write(o operand, v [16]float32, lanes int) {
	if o.kind == memory {
		copy(m.lanes(o, lanes), v[:])
		return
	}
	clear(v[lanes:])
	m.vector[o.reg] = v
}

// packed is an instruction on each lane: f(first source, second source), Go's
// assembly naming the second source first.
func packed(f func(x, y float32) float32) func(m *machine, a []operand) {
	return func(m *machine, a []operand) {
		dst := a[len(a)-1]
		y, x := m.read(a[0], dst.lanes), m.read(a[len(a)-2], dst.lanes)
		for l := range dst.lanes {
			x[l] = f(x[l], y[l])
		}
		m.write(dst, x, dst.lanes)
	}
}

// scalar is an instruction on lane 0; the other lanes are the first source's.
func scalar(f func(x, y float32) float32) func(m *machine, a []operand) {
	return func(m *machine, a []operand) {
		y, x := m.read(a[0], 1), m.read(a[1], 4)
		x[0] = f(x[0], y[0])
		m.write(a[2], x, 4)
	}
}

// shuffle is an instruction within each 128-bit part: lane i of the result is
// lane pick(i)&3 of the part of the first source, or of the second if pick(i)≥4.
func shuffle(m *machine, second, first, dst operand, pick func(i int) int) {
	y, x := m.read(second, dst.lanes), m.read(first, dst.lanes)
	var v [16]float32
	for part := 0; part < dst.lanes; part += 4 {
		for i := range 4 {
			if s := pick(i); s < 4 {
				v[part+i] = x[part+s]
			} else {
				v[part+i] = y[part+s-4]
			}
		}
	}
	m.write(dst, v, dst.lanes)
}

func bitwise(f func(x, y uint32) uint32) func(x, y float32) float32 {
	return func(x, y float32) float32 {
		return math.Float32frombits(f(math.Float32bits(x), math.Float32bits(y)))
	}
}

func fadd(x, y float32) float32 { return x + y }
func fsub(x, y float32) float32 { return x - y }
func fmul(x, y float32) float32 { return x * y }
func fdiv(x, y float32) float32 { return x / y }

// fmax answers y when either is NaN or both are zero.
func fmax(x, y float32) float32 {
	if x > y {
		return x
	}
	return y
}

func fsqrt(_, y float32) float32 { return float32(math.Sqrt(float64(y))) }

// fma rounds x·y + z once. The product is exact in float64; the sum is rounded to
// odd, which makes the second rounding, to float32, the right one.
func fma(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	t := s - p
	if e := (p - (s - t)) + (c - t); e != 0 && math.Float64bits(s)&1 == 0 {
		if (e > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

var conditions = map[string]func(m *machine) bool{
	"JMP": func(*machine) bool { return true },
	"JEQ": func(m *machine) bool { return m.zero },
	"JNE": func(m *machine) bool { return !m.zero },
	"JLT": func(m *machine) bool { return m.less },
	"JGE": func(m *machine) bool { return !m.less },
}

var semantics = map[string]func(m *machine, a []operand){
	"MOVQ": func(m *machine, a []operand) { m.set(a[1], m.get(a[0])) },
	"LEAQ": func(m *machine, a []operand) { m.set(a[1], uint64(uintptr(m.address(a[0])))) },
	"ADDQ": arith(func(x, y uint64) uint64 { return x + y }),
	"SUBQ": arith(func(x, y uint64) uint64 { return x - y }),
	"ANDQ": arith(func(x, y uint64) uint64 { return x & y }),
	"XORQ": arith(func(x, y uint64) uint64 { return x ^ y }),
	"SHRQ": arith(func(x, y uint64) uint64 { return x >> y }),
	"INCQ": arith(func(x, _ uint64) uint64 { return x + 1 }),
	"DECQ": arith(func(x, _ uint64) uint64 { return x - 1 }),
	"IMUL3Q": func(m *machine, a []operand) {
		m.set(a[2], m.get(a[0])*m.get(a[1]))
	},
	"CMPQ":  func(m *machine, a []operand) { m.flags(int64(m.get(a[0]) - m.get(a[1]))) },
	"TESTQ": func(m *machine, a []operand) { m.flags(int64(m.get(a[0]) & m.get(a[1]))) },
	"CMOVQGT": func(m *machine, a []operand) {
		if !m.zero && !m.less {
			m.set(a[1], m.get(a[0]))
		}
	},
	"PREFETCHT0": func(*machine, []operand) {},
	"VZEROUPPER": func(m *machine, _ []operand) {
		for i := range 16 {
			clear(m.vector[i][4:])
		}
	},

	"VADDPS": packed(fadd), "VADDSS": scalar(fadd),
	"VSUBPS": packed(fsub), "VSUBSS": scalar(fsub),
	"VMULPS": packed(fmul), "VMULSS": scalar(fmul),
	"VDIVPS": packed(fdiv), "VDIVSS": scalar(fdiv),
	"VMAXPS": packed(fmax), "VMAXSS": scalar(fmax),
	"VSQRTSS": scalar(fsqrt),
	"VSQRTPS": func(m *machine, a []operand) { packed(fsqrt)(m, []operand{a[0], a[0], a[1]}) },
	"VXORPS":  packed(bitwise(func(x, y uint32) uint32 { return x ^ y })),
	"VPXORD":  packed(bitwise(func(x, y uint32) uint32 { return x ^ y })),
	"VANDPS":  packed(bitwise(func(x, y uint32) uint32 { return x & y })),
	"VFMADD231PS": func(m *machine, a []operand) {
		lanes := a[2].lanes
		y, x, z := m.lanes(a[0], lanes), m.lanes(a[1], lanes), m.lanes(a[2], lanes)
		for l := range z {
			z[l] = fma(x[l], y[l], z[l])
		}
		clear(m.vector[a[2].reg][lanes:])
	},
	// The comparison's predicate is the only one used: greater, ordered, quiet.
	"VCMPSS": func(m *machine, a []operand) {
		scalar(func(x, y float32) float32 { return truth(a[0].imm, x > y) })(m, a[1:])
	},
	"VCMPPS": func(m *machine, a []operand) {
		if dst := a[3]; dst.kind == mask {
			y, x := m.read(a[1], 16), m.read(a[2], 16)
			m.mask[dst.reg] = 0
			for l := range 16 {
				if truth(a[0].imm, x[l] > y[l]) != 0 {
					m.mask[dst.reg] |= 1 << l
				}
			}
			return
		}
		packed(func(x, y float32) float32 { return truth(a[0].imm, x > y) })(m, a[1:])
	},

	"VMOVUPS": func(m *machine, a []operand) {
		lanes := max(a[0].lanes, a[1].lanes)
		copy(m.lanes(a[1], lanes), m.lanes(a[0], lanes))
		if a[1].kind == vectorReg {
			clear(m.vector[a[1].reg][lanes:])
		}
	},
	"VMOVUPS.Z": func(m *machine, a []operand) {
		dst := a[2]
		v := m.read(a[0], dst.lanes)
		for l := range v {
			if m.mask[a[1].reg]>>l&1 == 0 {
				v[l] = 0
			}
		}
		m.write(dst, v, dst.lanes)
	},
	"VMOVSS": func(m *machine, a []operand) {
		v := m.read(a[0], 1)
		m.write(a[1], v, 1)
	},
	"VBROADCASTSS": func(m *machine, a []operand) {
		x, v := m.lanes(a[0], 1)[0], &m.vector[a[1].reg]
		for l := range a[1].lanes {
			v[l] = x
		}
		clear(v[a[1].lanes:])
	},
	"VBROADCASTF128": func(m *machine, a []operand) {
		v := m.read(a[0], 4)
		copy(v[4:8], v[:4])
		m.write(a[1], v, 8)
	},
	"VINSERTF128": func(m *machine, a []operand) {
		part, v := m.read(a[1], 4), m.read(a[2], 8)
		copy(v[4*a[0].imm:], part[:4])
		m.write(a[3], v, 8)
	},
	"VEXTRACTF128": func(m *machine, a []operand) {
		v := m.read(a[1], 8)
		copy(v[:4], v[4*a[0].imm:])
		m.write(a[2], v, 4)
	},
	"VEXTRACTF64X4": func(m *machine, a []operand) {
		v := m.read(a[1], 16)
		copy(v[:8], v[8*a[0].imm:])
		m.write(a[2], v, 8)
	},
	"VPERMILPS": func(m *machine, a []operand) {
		shuffle(m, a[1], a[1], a[2], func(i int) int { return a[0].imm >> (2 * i) & 3 })
	},
	"VSHUFPS": func(m *machine, a []operand) {
		shuffle(m, a[1], a[2], a[3], func(i int) int { return a[0].imm>>(2*i)&3 + i/2*4 })
	},
	"VUNPCKLPS": func(m *machine, a []operand) {
		shuffle(m, a[0], a[1], a[2], func(i int) int { return i/2 + i%2*4 })
	},
	"VUNPCKHPS": func(m *machine, a []operand) {
		shuffle(m, a[0], a[1], a[2], func(i int) int { return 2 + i/2 + i%2*4 })
	},
}

func truth(predicate int, x bool) float32 {
	if predicate != 0x1e {
		panic("comparison predicate")
	}
	if x {
		return math.Float32frombits(0xffffffff)
	}
	return 0
}
