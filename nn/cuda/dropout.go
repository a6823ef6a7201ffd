package cuda

import (
	"math"
	"slices"

	"polyid-trainer/nn"
	"polyid-trainer/nn/internal/dropout"
)

// makeTables brings the distributions of dropout to the device for the sizes of
// class that a batch has.
func (e *engine) makeTables(b *nn.Batch) error {
	fresh := false
	for i := range b.Examples {
		p := b.Examples[i].Plan
		for _, k := range p.BondMembers(len(p.Blocks)) {
			if at, ok := slices.BinarySearch(e.classSizes, int(k)); !ok {
				e.classSizes = slices.Insert(e.classSizes, at, int(k))
				fresh = true
			}
		}
	}
	if !fresh {
		return nil
	}
	err := e.write("place dropout's tables", &e.tables, bytesOf(dropoutTables(&e.dropout, e.classSizes)))
	if err != nil {
		e.classSizes = nil // the old tables are gone too
	}
	return err
}

// dropoutTables lays the distributions of some sizes of class out as
// kernels/head.cuh reads them.
func dropoutTables(d *dropout.Sampler, sizes []int) []uint32 {
	t := make([]uint32, sizes[len(sizes)-1]+1)
	even := func() {
		if len(t)%2 != 0 {
			t = append(t, 0)
		}
	}
	for _, k := range sizes {
		even()
		t[k] = uint32(len(t))
		limits := d.Table(k)
		t = append(t, uint32(len(limits)))
		for n := range limits {
			t = append(t, math.Float32bits(float32((float64(k)-float64(n))*d.Unit(float64(k)))))
		}
		even()
		for _, u := range limits {
			t = append(t, uint32(u), uint32(u>>32))
		}
	}
	return t
}
