package plan

import "slices"

// Joined is the plans of several polymers as one: at every layer, the classes
// of each polymer follow those of the polymer added before it. No class of one
// polymer names a class of another, so that the network computes for each what
// it computes for it alone. The zero Joined is ready; its memory is reused.
type Joined struct {
	Plan // of all polymers; NumAtoms and NumBonds are sums

	// Where each polymer's classes begin, by layer: those of polymer i are
	// AtomAt[t][i] to AtomAt[t][i+1]. The last layer has no atoms.
	AtomAt, BondAt [][]int

	// Of is the polymer of each bond class after a block, by block.
	Of [][]int32
}

// Reset empties j, for plans of blocks blocks.
func (j *Joined) Reset(blocks int) {
	j.NumAtoms, j.NumBonds = 0, 0
	j.AtomID, j.BondID = j.AtomID[:0], j.BondID[:0]
	j.AtomCount, j.BondCount = j.AtomCount[:0], j.BondCount[:0]
	if len(j.Blocks) != blocks {
		j.Blocks, j.Of = make([]Block, blocks), make([][]int32, blocks)
		j.AtomAt, j.BondAt = make([][]int, blocks+1), make([][]int, blocks+1)
	}
	for i := range j.Blocks {
		j.Blocks[i].reset()
		j.Of[i] = j.Of[i][:0]
	}
	for t := range j.AtomAt {
		j.AtomAt[t], j.BondAt[t] = append(j.AtomAt[t][:0], 0), append(j.BondAt[t][:0], 0)
	}
}

func (k *Block) reset() {
	k.Bond, k.Src, k.Dst, k.BondCount = k.Bond[:0], k.Src[:0], k.Dst[:0], k.BondCount[:0]
	k.Atom, k.AtomCount, k.Degree = k.Atom[:0], k.AtomCount[:0], k.Degree[:0]
	for _, l := range []*Lists{&k.Messages, &k.Readers} {
		l.Off, l.Row, l.Weight = l.Off[:0], l.Row[:0], l.Weight[:0]
	}
}

// Polymers is the number of plans in j.
func (j *Joined) Polymers() int { return len(j.BondAt[0]) - 1 }

// Add appends p, which must have as many blocks as j: O(p.Bytes()).
func (j *Joined) Add(p *Plan) {
	n := int32(j.Polymers())
	j.NumAtoms, j.NumBonds = j.NumAtoms+p.NumAtoms, j.NumBonds+p.NumBonds
	j.AtomID, j.BondID = append(j.AtomID, p.AtomID...), append(j.BondID, p.BondID...)
	j.AtomCount, j.BondCount = append(j.AtomCount, p.AtomCount...), append(j.BondCount, p.BondCount...)
	for t := range j.Blocks {
		k, q := &j.Blocks[t], &p.Blocks[t]
		atoms, bonds := int32(j.AtomAt[t][n]), int32(j.BondAt[t][n])
		nextAtoms, nextBonds := int32(len(k.Atom)), int32(len(k.Bond))
		k.Bond = shifted(k.Bond, q.Bond, bonds)
		k.Src, k.Dst = shifted(k.Src, q.Src, atoms), shifted(k.Dst, q.Dst, atoms)
		k.BondCount = append(k.BondCount, q.BondCount...)
		for range q.Bond {
			j.Of[t] = append(j.Of[t], n)
		}
		k.Atom = shifted(k.Atom, q.Atom, atoms)
		k.AtomCount, k.Degree = append(k.AtomCount, q.AtomCount...), append(k.Degree, q.Degree...)
		k.Messages.add(&q.Messages, nextBonds)
		k.Readers.add(&q.Readers, nextAtoms)
	}
	for t := range j.AtomAt {
		atoms := 0
		if t < len(j.Blocks) {
			atoms = j.AtomClasses(t)
		}
		j.AtomAt[t], j.BondAt[t] = append(j.AtomAt[t], atoms), append(j.BondAt[t], j.BondClasses(t))
	}
}

// shifted appends src to dst, each number raised by n.
func shifted(dst, src []int32, n int32) []int32 {
	for _, x := range src {
		dst = append(dst, x+n)
	}
	return dst
}

// add appends the lists of m, whose rows begin at row n of those listed here.
func (l *Lists) add(m *Lists, n int32) {
	if len(m.Off) == 0 { // the last block's
		return
	}
	off := m.Off
	if len(l.Off) > 0 {
		off = off[1:] // the end of the last list is the beginning of the next
	}
	l.Off = shifted(l.Off, off, int32(len(l.Row)))
	l.Row = shifted(l.Row, m.Row, n)
	l.Weight = append(l.Weight, m.Weight...)
}

// Equal reports whether p and q are the same plan of the same features: the
// network then computes the same for both, whichever polymers they were built
// from. It costs O(p.Bytes()) where they are, and next to nothing where their
// polymers differ in size.
func (p *Plan) Equal(q *Plan) bool {
	if p == q {
		return true
	}
	if p.NumAtoms != q.NumAtoms || p.NumBonds != q.NumBonds || len(p.Blocks) != len(q.Blocks) {
		return false
	}
	return slices.Equal(p.AtomID, q.AtomID) && slices.Equal(p.BondID, q.BondID) &&
		slices.Equal(p.AtomCount, q.AtomCount) && slices.Equal(p.BondCount, q.BondCount) &&
		slices.EqualFunc(p.Blocks, q.Blocks, func(a, b Block) bool { return a.equal(&b) })
}

// equal need not look at Readers, which is Messages transposed.
func (k *Block) equal(q *Block) bool {
	return slices.Equal(k.Bond, q.Bond) && slices.Equal(k.Src, q.Src) && slices.Equal(k.Dst, q.Dst) &&
		slices.Equal(k.BondCount, q.BondCount) && slices.Equal(k.Atom, q.Atom) &&
		slices.Equal(k.AtomCount, q.AtomCount) && slices.Equal(k.Degree, q.Degree) &&
		slices.Equal(k.Messages.Off, q.Messages.Off) && slices.Equal(k.Messages.Row, q.Messages.Row) &&
		slices.Equal(k.Messages.Weight, q.Messages.Weight)
}
