package mol

import "slices"

// ringGraph says which of a list of rings share bonds.
type ringGraph struct {
	start []int32 // ring: first of its entries in nbrs; one more at the end
	nbrs  []int32 // neighbouring rings, ascending for each ring
	seen  []bool
	stack []ringStep
}

type ringStep struct{ ring, next int32 }

// newRingGraph joins the rings of at most maxSize bonds that share at least one
// and at most maxShared bonds.
func (m *Mol) newRingGraph(rings []*Ring, maxSize, maxShared int) *ringGraph {
	g := &ringGraph{start: make([]int32, len(rings)+1), seen: make([]bool, len(rings))}
	at, of := m.ringsOfBonds(rings, maxSize)
	shared := make([]int32, len(rings))
	for i, r := range rings {
		first := len(g.nbrs)
		if len(r.Bonds) <= maxSize {
			for _, b := range r.Bonds {
				for _, j := range of[at[b]:at[b+1]] {
					if shared[j]++; shared[j] == 1 && int(j) != i {
						g.nbrs = append(g.nbrs, j)
					}
				}
			}
		}
		kept := g.nbrs[:first]
		for _, j := range g.nbrs[first:] {
			if int(shared[j]) <= maxShared {
				kept = append(kept, j)
			}
			shared[j] = 0
		}
		shared[i] = 0
		g.nbrs = kept
		slices.Sort(g.nbrs[first:])
		g.start[i+1] = int32(len(g.nbrs))
	}
	return g
}

// ringsOfBonds lists for bond b the rings of at most maxSize bonds it is in, as
// of[at[b]:at[b+1]].
func (m *Mol) ringsOfBonds(rings []*Ring, maxSize int) (at, of []int32) {
	at = make([]int32, len(m.Bonds)+1)
	total := int32(0)
	for _, r := range rings {
		if len(r.Bonds) <= maxSize {
			total += int32(len(r.Bonds))
			for _, b := range r.Bonds {
				at[b]++
			}
		}
	}
	sum := int32(0)
	for b := range at {
		sum += at[b]
		at[b] = sum
	}
	of = make([]int32, total)
	for i := len(rings) - 1; i >= 0; i-- {
		if r := rings[i]; len(r.Bonds) <= maxSize {
			for _, b := range r.Bonds {
				at[b]--
				of[at[b]] = int32(i)
			}
		}
	}
	return at, of
}

// neighbors lists the rings that ring i is joined to.
func (g *ringGraph) neighbors(i int32) []int32 { return g.nbrs[g.start[i]:g.start[i+1]] }

// systems calls visit with each set of rings that are joined to one another, in
// the order of their lowest rings; a set is in the order of a depth-first walk.
// The slice is only valid during the call.
func (g *ringGraph) systems(visit func(rings []int32) error) error {
	var system []int32
	for i := range g.seen {
		if g.seen[i] {
			continue
		}
		system = append(system[:0], int32(i))
		g.seen[i] = true
		g.stack = append(g.stack[:0], ringStep{ring: int32(i)})
		for len(g.stack) > 0 {
			top := &g.stack[len(g.stack)-1]
			nbrs := g.neighbors(top.ring)
			if int(top.next) == len(nbrs) {
				g.stack = g.stack[:len(g.stack)-1]
				continue
			}
			j := nbrs[top.next]
			top.next++
			if !g.seen[j] {
				g.seen[j] = true
				system = append(system, j)
				g.stack = append(g.stack, ringStep{ring: j})
			}
		}
		if err := visit(system); err != nil {
			return err
		}
	}
	return nil
}
