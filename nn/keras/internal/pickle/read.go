package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// The opcodes that are read. Names and meanings are those of Python's
// pickletools.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opDup             = '2'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opReduce          = 'R'
	opBinUnicode      = 'X'
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c'
	opDict            = 'd'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opList            = 'l'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opSetItems        = 'u'
	opEmptyList       = ']'
	opEmptyTuple      = ')'
	opEmptyDict       = '}'
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opBinFloat        = 'G'
	opProto           = 0x80
	opNewObj          = 0x81
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
)

// ClassError says that a pickle names a class that is not to be read.
type ClassError struct{ Class Class }

func (e *ClassError) Error() string {
	return fmt.Sprintf("it holds a %.200q, which is not read", e.Class)
}

// Read reads one pickle from b, and ignores what follows it. Every class it
// names must satisfy allowed; otherwise the error is a *ClassError. What a pickle
// may make is bounded by its size: see machine.made.
func Read(b []byte, allowed func(Class) bool) (any, error) {
	m := machine{b: b, allowed: allowed}
	v, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("pickle, byte %d: %w", m.at, err)
	}
	return v, nil
}

// mark separates the arguments of an opcode from what lies below them.
type mark struct{}

// machine is the stack machine that a pickle is a program of.
type machine struct {
	b       []byte
	at      int // of the opcode
	next    int
	stack   []any
	memo    map[uint32]any
	allowed func(Class) bool
	// made is the memory of all values but those on the stack, in bytes. One byte
	// of a pickle can call for 40: a list of a million empty tuples is one that
	// nobody writes.
	made int
}

// Bounds of what a pickle may make. Python writes a list in batches of 1,000, so
// that a deep stack has few values for its bytes.
const (
	freely    = 4 << 20 // bytes that any pickle may make, however small
	perByte   = 16      // bytes of values for each byte of a pickle
	stackByte = 8       // bytes of stack for each
	slot      = 16      // bytes of a value's place on the stack or in a list
	node      = 48      // of a list, a tuple, a dict, or a place in the memo
)

// make accounts for n bytes.
func (m *machine) make(n int) error {
	if m.made += n; m.made > freely+perByte*len(m.b) {
		return errBomb
	}
	return nil
}

var (
	errEnds      = errors.New("it ends in the middle")
	errUnderflow = errors.New("it takes more from its stack than is there")
	errBomb      = errors.New("it makes far more than its size accounts for")
	errType      = errors.New("an opcode's argument is of the wrong type")
)

func (m *machine) run() (any, error) {
	m.memo = map[uint32]any{}
	for {
		m.at = m.next
		op, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if op[0] == opStop {
			return m.pop()
		}
		if err := m.exec(op[0]); err != nil {
			return nil, err
		}
		if slot*len(m.stack) > freely+stackByte*len(m.b) {
			return nil, errBomb
		}
	}
}

// take reads n bytes, which stay shared with the pickle.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.b)-m.next) {
		return nil, errEnds
	}
	b := m.b[m.next : m.next+int(n)]
	m.next += int(n)
	return b, nil
}

// number reads an unsigned little-endian number of width bytes.
func (m *machine) number(width uint64) (uint64, error) {
	b, err := m.take(width)
	if err != nil {
		return 0, err
	}
	var full [8]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint64(full[:]), nil
}

// counted reads bytes after their number, of width bytes.
func (m *machine) counted(width uint64) ([]byte, error) {
	n, err := m.number(width)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

// line reads up to a newline.
func (m *machine) line() (string, error) {
	for i := m.next; i < len(m.b); i++ {
		if m.b[i] == '\n' {
			s := string(m.b[m.next:i])
			m.next = i + 1
			return s, nil
		}
	}
	return "", errEnds
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errUnderflow
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, errUnderflow
	}
	return v, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) == 0 {
		return nil, errUnderflow
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark takes what lies above the topmost mark, and the mark. The items are a
// part of the stack: what is to stay is copied.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := m.stack[i+1:]
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, errUnderflow
}

func text(b []byte) (string, error) {
	if !utf8.Valid(b) {
		// Python writes lone surrogates too; no name or feature has one.
		return "", errors.New("a string is not UTF-8")
	}
	return string(b), nil
}

// exec runs one opcode. Those that take data from the pickle come first, those
// that work on the stack follow in execStack.
func (m *machine) exec(op byte) error {
	var (
		v   any
		n   uint64
		b   []byte
		err error
	)
	switch op {
	case opProto:
		if n, err = m.number(1); err == nil && (n < 2 || n > 5) {
			err = fmt.Errorf("protocol %d is not read", n)
		}
		return err
	case opFrame: // frames only help a reader to buffer
		_, err = m.take(8)
		return err
	case opBinInt:
		n, err = m.number(4)
		v = int64(int32(n))
	case opBinInt1:
		n, err = m.number(1)
		v = int64(n)
	case opBinInt2:
		n, err = m.number(2)
		v = int64(n)
	case opLong1:
		if b, err = m.counted(1); err == nil {
			v, err = long(b)
		}
	case opBinFloat:
		if b, err = m.take(8); err == nil {
			v = math.Float64frombits(binary.BigEndian.Uint64(b))
		}
	case opShortBinUnicode, opBinUnicode, opBinUnicode8:
		if b, err = m.counted(width(op)); err == nil {
			v, err = text(b)
		}
		if err == nil {
			err = m.make(len(b))
		}
	case opShortBinBytes, opBinBytes, opBinBytes8, opByteArray8:
		b, err = m.counted(width(op))
		v = b
	case opBinGet, opLongBinGet:
		if n, err = m.number(width(op)); err == nil {
			var ok bool
			if v, ok = m.memo[uint32(n)]; !ok {
				err = fmt.Errorf("memo %d was never set", n)
			}
		}
	case opBinPut, opLongBinPut:
		if n, err = m.number(width(op)); err == nil {
			err = m.memoize(uint32(n))
		}
		return err
	case opMemoize:
		return m.memoize(uint32(len(m.memo)))
	case opGlobal:
		var c Class
		if c.Module, err = m.line(); err != nil {
			return err
		}
		if c.Name, err = m.line(); err != nil {
			return err
		}
		v, err = m.class(c)
	default:
		return m.execStack(op)
	}
	if err != nil {
		return err
	}
	m.push(v)
	return nil
}

// width is the number of bytes of the count or index that follows an opcode.
func width(op byte) uint64 {
	switch op {
	case opShortBinUnicode, opShortBinBytes, opBinGet, opBinPut:
		return 1
	case opBinUnicode8, opBinBytes8, opByteArray8:
		return 8
	}
	return 4
}

// long is a two's complement number of any width, as far as it fits.
func long(b []byte) (any, error) {
	if len(b) > 8 {
		return nil, errors.New("an integer of more than 64 bits")
	}
	var full [8]byte
	if len(b) > 0 && b[len(b)-1]&0x80 != 0 {
		full = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(full[:], b)
	return int64(binary.LittleEndian.Uint64(full[:])), nil
}

func (m *machine) memoize(key uint32) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if _, ok := v.(mark); ok {
		return errType
	}
	m.memo[key] = v
	return m.make(node)
}

func (m *machine) class(c Class) (Class, error) {
	if !m.allowed(c) {
		return c, &ClassError{c}
	}
	return c, nil
}
