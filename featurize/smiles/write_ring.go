package smiles

import (
	"math/bits"
	"strconv"
)

// ringNumbers hands out the lowest free ring number, from 1.
type ringNumbers struct {
	used   []uint64      // bit n-1 is number n
	number map[int32]int // open bond → its number
	closed []int         // numbers to free once the atom is written
}

func (r *ringNumbers) open(bond int32) int {
	if r.number == nil {
		r.number = map[int32]int{}
	}
	for i, word := range r.used {
		if free := bits.TrailingZeros64(^word); free < 64 {
			r.used[i] |= 1 << free
			r.number[bond] = i*64 + free + 1
			return r.number[bond]
		}
	}
	r.used = append(r.used, 1)
	r.number[bond] = (len(r.used)-1)*64 + 1
	return r.number[bond]
}

func (r *ringNumbers) close(bond int32) int {
	n := r.number[bond]
	delete(r.number, bond)
	r.closed = append(r.closed, n)
	return n
}

// free makes the numbers available that one atom closed: not before its own
// rings have theirs, as C11 would be hard to read.
func (r *ringNumbers) free() {
	for _, n := range r.closed {
		r.used[(n-1)/64] &^= 1 << ((n - 1) % 64)
	}
	r.closed = r.closed[:0]
}

// appendRingNumber writes 1, %10 or %(100).
func appendRingNumber(buf []byte, n int) []byte {
	switch {
	case n < 10:
		return append(buf, byte('0'+n))
	case n < 100:
		return strconv.AppendInt(append(buf, '%'), int64(n), 10)
	default:
		return append(strconv.AppendInt(append(buf, '%', '('), int64(n), 10), ')')
	}
}
