package cpu

import (
	"unsafe"

	"polyid-trainer/nn/kernel"
)

// hugePage is the size of a large page of memory where there are any; bytes.
const hugePage = 2 << 20

// alloc makes a slice of zeros for weights, moments or a gradient. One of several
// large pages is made of large pages where the system has them: Adam passes over
// more of these than the processor has the addresses of small pages at hand for.
// Measured in pairs of steps, it saves 3 % at batch 1 and at batch 32; the states
// of a batch gain nothing.
func alloc[T kernel.Float](n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if n*size < 2*hugePage {
		return make([]T, n)
	}
	const page = hugePage
	room := make([]T, n+page/size)
	first := int(-uintptr(unsafe.Pointer(&room[0]))&(page-1)) / size
	slice := room[first : first+n : first+n]
	adviseLarge(unsafe.Slice((*byte)(unsafe.Pointer(&slice[0])), n*size/page*page))
	return slice
}
