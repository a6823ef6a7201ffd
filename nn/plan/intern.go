package plan

// interner numbers pairs of 32-bit numbers in the order they are first seen.
// It is a hash table with open addressing whose keys are the pairs themselves,
// so two pairs get one number exactly when they are equal, whatever they hash
// to.
type interner struct {
	slots []slot // a power of two of them
	stamp uint32 // slots of another stamp are free, which makes reset O(1)
	n     int32
}

type slot struct {
	key   uint64
	stamp uint32
	value int32
}

// reset forgets all pairs and makes room for max of them.
func (t *interner) reset(max int) {
	size := 16
	for size < 2*max {
		size *= 2
	}
	if size > len(t.slots) {
		t.slots = make([]slot, size)
		t.stamp = 0
	}
	t.stamp++
	if t.stamp == 0 { // every 2³² resets, old stamps would come back to life
		clear(t.slots)
		t.stamp = 1
	}
	t.n = 0
}

// number returns the number of (a, b).
func (t *interner) number(a, b int32) int32 {
	key := uint64(uint32(a))<<32 | uint64(uint32(b))
	mask := uint64(len(t.slots) - 1)
	// The multiplier is 2⁶⁴ over the golden ratio; the high bits are the mixed
	// ones (Knuth, TAOCP 6.4).
	for i := (key * 0x9e3779b97f4a7c15) >> 32 & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.stamp != t.stamp {
			*s = slot{key, t.stamp, t.n}
			t.n++
			return s.value
		}
		if s.key == key {
			return s.value
		}
	}
}
