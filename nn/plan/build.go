package plan

import (
	"slices"

	"polyid-trainer/featurize"
)

// Builder builds plans, one at a time, and keeps its buffers between them. The
// zero Builder is ready.
type Builder struct {
	table interner

	atom, bond         []int32 // class of each atom and directed bond at the current layer
	newAtom, newBond   []int32
	code               []int32 // of each member, before its class is numbered
	seen               []int32 // by code; see number
	first, rank, start []int32 // by class; see number
	messages           []int32 // classes of the bonds that leave one atom
	out                []int32 // offsets of the bonds that leave each atom
}

// Build computes the plan of g for a network of blocks blocks: O(blocks · (atoms
// + bonds)) expected time and memory.
func (b *Builder) Build(g *featurize.Graph, blocks int) *Plan {
	return b.build(g, blocks, false)
}

// Plain computes the plan in which every atom and every bond is a class of its
// own: the network's textbook form, which quotient plans are held to.
func (b *Builder) Plain(g *featurize.Graph, blocks int) *Plan {
	return b.build(g, blocks, true)
}

func (b *Builder) build(g *featurize.Graph, blocks int, plain bool) *Plan {
	b.begin(g, plain)
	p := &Plan{NumAtoms: len(g.Atom), NumBonds: len(g.Bond), Blocks: make([]Block, blocks)}
	p.AtomCount, p.AtomID = members(b.atom), representatives(b.atom, g.Atom)
	p.BondCount, p.BondID = members(b.bond), representatives(b.bond, g.Bond)
	for j := range p.Blocks {
		if j > 0 && p.splitNothing(j-1) {
			p.repeat(j)
			continue
		}
		b.advance(&p.Blocks[j], g, j == blocks-1)
	}
	return p
}

// splitNothing reports whether block j has as many classes after as before: then
// every class is its own parent, and all blocks behind it are equal to it.
func (p *Plan) splitNothing(j int) bool {
	return p.AtomClasses(j+1) == p.AtomClasses(j) && p.BondClasses(j+1) == p.BondClasses(j)
}

// repeat makes block j the one before it, whose memory it shares.
func (p *Plan) repeat(j int) {
	k := p.Blocks[j-1]
	if j == len(p.Blocks)-1 {
		k = Block{Bond: k.Bond, Src: k.Src, Dst: k.Dst, BondCount: k.BondCount}
	}
	p.Blocks[j] = k
}

// begin sets the classes of layer 0.
func (b *Builder) begin(g *featurize.Graph, plain bool) {
	nA, nB := len(g.Atom), len(g.Bond)
	b.atom, b.newAtom = resize(b.atom, nA), resize(b.newAtom, nA)
	b.bond, b.newBond = resize(b.bond, nB), resize(b.newBond, nB)
	b.code = resize(b.code, max(nA, nB))
	b.index(g)
	b.firstColours(b.atom, g.Atom, plain)
	b.firstColours(b.bond, g.Bond, plain)
}

// advance goes on to the next layer and fills in the block in between.
func (b *Builder) advance(k *Block, g *featurize.Graph, last bool) {
	b.refineBonds(k, g)
	if !last {
		b.refineAtoms(k)
		b.atom, b.newAtom = b.newAtom, b.atom
	}
	b.bond, b.newBond = b.newBond, b.bond
}

// index fills out: the bonds that leave atom u are out[u] to out[u+1], because
// a graph's bonds are sorted by the atom they leave.
func (b *Builder) index(g *featurize.Graph) {
	b.out = resize(b.out, len(g.Atom)+1)
	clear(b.out)
	for _, u := range g.Src {
		b.out[u+1]++
	}
	for u := range g.Atom {
		b.out[u+1] += b.out[u]
	}
}

// firstColours puts members of equal id into one class.
func (b *Builder) firstColours(class, id []int32, plain bool) {
	b.table.reset(len(id))
	for i, v := range id {
		if plain {
			class[i] = int32(i)
		} else {
			class[i] = b.table.number(0, v)
		}
	}
}

// refineBonds splits bond classes by the classes of the bonds' ends.
func (b *Builder) refineBonds(k *Block, g *featurize.Graph) {
	b.table.reset(2 * len(g.Bond))
	code := b.code[:len(g.Bond)]
	for e := range code {
		ends := b.table.number(b.atom[g.Src[e]], b.atom[g.Dst[e]])
		// Codes of ends and of bonds share the table: −1−class is no atom class.
		code[e] = b.table.number(-1-b.bond[e], ends)
	}
	k.Bond = b.number(b.newBond, code, b.bond)
	k.BondCount = members(b.newBond)
	n := len(k.Bond)
	k.Src, k.Dst = make([]int32, n), make([]int32, n)
	for e, c := range b.newBond {
		k.Src[c], k.Dst[c] = b.atom[g.Src[e]], b.atom[g.Dst[e]]
	}
}

// refineAtoms splits atom classes by the multiset of the classes of the bonds
// that leave the atoms.
func (b *Builder) refineAtoms(k *Block) {
	nA, nB := len(b.atom), len(b.bond)
	b.table.reset(nA + nB)
	code := b.code[:nA]
	for u := range code {
		// A multiset is interned as its sorted list, a list as its last element
		// behind the code of the rest. −1−class is no code.
		c := -1 - b.atom[u]
		for _, m := range b.leaving(u) {
			c = b.table.number(c, m)
		}
		if b.out[u] == b.out[u+1] {
			c = b.table.number(c, -1)
		}
		code[u] = c
	}
	k.Atom = b.number(b.newAtom, code, b.atom)
	k.AtomCount = members(b.newAtom)
	b.listMessages(k)
}

// leaving returns the sorted classes of the bonds that leave atom u.
func (b *Builder) leaving(u int) []int32 {
	b.messages = append(b.messages[:0], b.newBond[b.out[u]:b.out[u+1]]...)
	slices.Sort(b.messages)
	return b.messages
}

// number turns codes, which are numbers of the table's, into classes: parent by
// parent, within a parent by first member. It fills class from code and returns
// the parent of each class. Two members of one code must have one parent.
func (b *Builder) number(class, code, parent []int32) []int32 {
	// Codes by first member; seen is one more than a code's place among them.
	b.seen = resize(b.seen, int(b.table.n))
	clear(b.seen)
	b.first = b.first[:0]
	for i, c := range code {
		if b.seen[c] == 0 {
			b.first = append(b.first, int32(i))
			b.seen[c] = int32(len(b.first))
		}
		class[i] = b.seen[c] - 1
	}
	// A counting sort by parent keeps that order among siblings.
	parents := 0
	for _, i := range b.first {
		parents = max(parents, int(parent[i])+1)
	}
	b.start = resize(b.start, parents+1)
	clear(b.start)
	for _, i := range b.first {
		b.start[parent[i]+1]++
	}
	for i := range parents {
		b.start[i+1] += b.start[i]
	}
	b.rank = resize(b.rank, len(b.first))
	sorted := make([]int32, len(b.first))
	for n, i := range b.first {
		r := b.start[parent[i]]
		b.start[parent[i]]++
		b.rank[n] = r
		sorted[r] = parent[i]
	}
	for i, n := range class {
		class[i] = b.rank[n]
	}
	return sorted
}

// listMessages fills in the message lists from one member of each atom class.
func (b *Builder) listMessages(k *Block) {
	nA, nB := len(k.Atom), len(k.Bond)
	b.first = resize(b.first, nA)
	for u := len(b.newAtom) - 1; u >= 0; u-- {
		b.first[b.newAtom[u]] = int32(u)
	}
	k.Degree = make([]float32, nA)
	k.Messages.Off = make([]int32, nA+1)
	k.Readers.Off = make([]int32, nB+1)
	entries := int32(0)
	for _, u := range b.first {
		entries += b.out[u+1] - b.out[u]
	}
	k.Messages.Row, k.Messages.Weight = make([]int32, 0, entries), make([]float32, 0, entries)
	for a, u := range b.first {
		leaving := b.leaving(int(u))
		k.Degree[a] = float32(len(leaving))
		for i, m := range leaving {
			if i == 0 || m != leaving[i-1] {
				k.Messages.Row = append(k.Messages.Row, m)
				k.Messages.Weight = append(k.Messages.Weight, 0)
				k.Readers.Off[m+1]++
			}
			k.Messages.Weight[len(k.Messages.Weight)-1]++
		}
		k.Messages.Off[a+1] = int32(len(k.Messages.Row))
	}
	k.Readers.transpose(&k.Messages)
}

// transpose fills t from lists, given in t.Off the number of entries of each
// of t's rows, one place up.
func (t *Lists) transpose(lists *Lists) {
	for r := range len(t.Off) - 1 {
		t.Off[r+1] += t.Off[r]
	}
	t.Row, t.Weight = make([]int32, len(lists.Row)), make([]float32, len(lists.Row))
	next := slices.Clone(t.Off)
	for a := range len(lists.Off) - 1 {
		for e := lists.Off[a]; e < lists.Off[a+1]; e++ {
			at := &next[lists.Row[e]]
			t.Row[*at], t.Weight[*at] = int32(a), lists.Weight[e]
			*at++
		}
	}
}

// members counts the members of each class.
func members(class []int32) []float32 {
	if len(class) == 0 {
		return nil
	}
	n := make([]float32, slices.Max(class)+1)
	for _, c := range class {
		n[c]++
	}
	return n
}

// representatives returns the id of each class.
func representatives(class, id []int32) []int32 {
	if len(class) == 0 {
		return nil
	}
	out := make([]int32, slices.Max(class)+1)
	for i, c := range class {
		out[c] = id[i]
	}
	return out
}

// resize returns a slice of n elements of any content, s's memory if it is
// large enough.
func resize(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n)
	}
	return s[:n]
}
