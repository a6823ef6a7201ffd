package smiles

import (
	"cmp"
	"slices"

	"polyid-trainer/featurize/mol"
)

// partition divides atoms into ordered classes. A class is a run of positions
// and is named by the first of them.
type partition struct {
	order []int32 // position → atom
	place []int32 // atom → position
	class []int32 // atom → first position of its class
	size  []int32 // first position → atoms in the class

	queue   []int32 // classes that may tell their neighbours apart
	queued  []bool  // by first position
	sum     []uint64
	touched []int32
}

// newPartition classes atoms by kind.
func newPartition(kinds []uint64) *partition {
	n := len(kinds)
	slab := make([]int32, 4*n)
	p := &partition{
		order: slab[:n], place: slab[n : 2*n], class: slab[2*n : 3*n], size: slab[3*n:],
		queued: make([]bool, n), sum: make([]uint64, n),
	}
	for i := range n {
		p.order[i] = int32(i)
		p.place[i] = int32(i)
	}
	if n > 0 {
		p.size[0] = int32(n)
		p.split(0, kinds, true)
	}
	return p
}

func (p *partition) clone() *partition {
	n := len(p.order)
	slab := make([]int32, 4*n)
	c := &partition{
		order: slab[:n], place: slab[n : 2*n], class: slab[2*n : 3*n], size: slab[3*n:],
		queued: make([]bool, n), sum: make([]uint64, n),
	}
	copy(c.order, p.order)
	copy(c.place, p.place)
	copy(c.class, p.class)
	copy(c.size, p.size)
	return c
}

// cell lists the atoms of the class at position c.
func (p *partition) cell(c int) []int32 { return p.order[c : c+int(p.size[c])] }

// tied is the first class at or after position c with more than one atom, or -1.
func (p *partition) tied(c int) int {
	for ; c < len(p.order); c += int(p.size[c]) {
		if p.size[c] > 1 {
			return c
		}
	}
	return -1
}

// single puts atom before the others of its class.
func (p *partition) single(atom int32) {
	c := p.class[atom]
	first := p.order[c]
	p.order[c], p.order[p.place[atom]] = atom, first
	p.place[first], p.place[atom] = p.place[atom], c
	rest := c + 1
	p.size[rest], p.size[c] = p.size[c]-1, 1
	for _, a := range p.cell(int(rest)) {
		p.class[a] = rest
	}
	p.enqueue(c)
}

func (p *partition) enqueue(c int32) {
	if !p.queued[c] {
		p.queued[c] = true
		p.queue = append(p.queue, c)
	}
}

// split divides the class at position c by value, ascending, and queues the
// parts: all, or all but a largest, which tells nothing the others do not.
func (p *partition) split(c int32, value []uint64, all bool) bool {
	cell := p.cell(int(c))
	slices.SortFunc(cell, func(a, b int32) int { return cmp.Compare(value[a], value[b]) })
	if value[cell[0]] == value[cell[len(cell)-1]] && !all {
		return false
	}
	all = all || p.queued[c]
	largest := c
	for from := 0; from < len(cell); {
		to, start := from, c+int32(from)
		for ; to < len(cell) && value[cell[to]] == value[cell[from]]; to++ {
			p.class[cell[to]] = start
			p.place[cell[to]] = c + int32(to)
		}
		p.size[start] = int32(to - from)
		if p.size[start] > p.size[largest] {
			largest = start
		}
		from = to
	}
	for i := c; i < c+int32(len(cell)); i += p.size[i] {
		if all || i != largest {
			p.enqueue(i)
		}
	}
	return true
}

// refine splits classes until all atoms of a class have the same bonds to every
// class. The bond function gives what counts of a bond seen from an atom.
func (p *partition) refine(neighbors func(int32) []mol.Neighbor, bond func(from, bond int32) uint64) {
	for len(p.queue) > 0 {
		c := p.queue[0]
		p.queue = p.queue[1:]
		p.queued[c] = false
		p.touched = p.touched[:0]
		for _, a := range p.cell(int(c)) {
			for _, nb := range neighbors(a) {
				if p.sum[nb.Atom] == 0 {
					p.touched = append(p.touched, nb.Atom)
				}
				p.sum[nb.Atom] += bond(nb.Atom, nb.Bond)
			}
		}
		p.splitTouched()
	}
	p.queue = nil
}

// splitTouched splits the classes of touched atoms by their sums, in the order
// of the classes, and clears the sums.
func (p *partition) splitTouched() {
	classes := make([]int32, 0, len(p.touched))
	for _, a := range p.touched {
		classes = append(classes, p.class[a])
	}
	slices.Sort(classes)
	for _, c := range slices.Compact(classes) {
		if p.size[c] > 1 {
			p.split(c, p.sum, false)
		}
	}
	for _, a := range p.touched {
		p.sum[a] = 0
	}
}

// splitBy splits every class by value and reports whether any was.
func (p *partition) splitBy(value []uint64) bool {
	any := false
	for c := int32(0); int(c) < len(p.order); {
		n := p.size[c]
		if n > 1 && p.split(c, value, false) {
			any = true
		}
		c += n
	}
	return any
}
