package mol

import (
	"cmp"
	"slices"
)

// kekuleWalk walks a ring system and gives each atom that wants one a double
// bond to a neighbour; where it had a choice it can come back.
type kekuleWalk struct {
	want    []bool // atom: still wants a double bond
	queued  []bool // atom: is in queue
	isDone  []bool // atom: is in done
	done    []int32
	queue   []int32 // atoms to visit next are queue[head:]
	head    int
	order   []int32 // the system's atoms in the order to start from
	doubles []int32 // bonds made double
	choices []choice
	left    []int32 // what the choices refer to
	options []int32
	nbrs    []Neighbor
}

// choice is an atom that was given one of several options. Those not tried yet
// are left from next up to the following choice's first.
type choice struct {
	atom        int32
	first, next int
}

// start begins with a new system.
func (w *kekuleWalk) start(system []int32) {
	w.reset(system)
	w.done = w.done[:0]
	for _, a := range system {
		w.isDone[a] = false
	}
}

// reset forgets a failed attempt.
func (w *kekuleWalk) reset(system []int32) {
	for _, a := range system {
		w.queued[a] = false
	}
	w.queue, w.head = w.queue[:0], 0
	w.doubles, w.choices, w.left = w.doubles[:0], w.choices[:0], w.left[:0]
}

// finish notes an atom as dealt with.
func (w *kekuleWalk) finish(i int32) {
	w.done = append(w.done, i)
	w.isDone[i] = true
}

// assign makes bonds of the system double until every atom that wants one has
// one. If it cannot, all are single again and it returns false.
func (k *kekulizer) assign() bool {
	w := &k.walk
	w.reset(k.system)
	w.order = append(w.order[:0], k.system...)
	slices.SortFunc(w.order, k.compare)
	first := 0 // all before it in order are done
	for backtracks := 0; ; {
		var at int32
		if w.head < len(w.queue) {
			at = w.queue[w.head]
			w.head++
			w.queued[at] = false
		} else {
			for first < len(w.order) && w.isDone[w.order[first]] {
				first++
			}
			if first == len(w.order) {
				return true
			}
			at = w.order[first]
		}
		w.finish(at)
		last := len(w.choices) - 1
		again := last >= 0 && w.choices[last].atom == at
		if !again {
			k.look(at)
		}
		switch {
		case !w.want[at]:
		case again:
			k.rebind()
		case len(w.options) > 0:
			k.bind(at, w.options[0])
			if rest := w.options[1:]; len(rest) > 0 {
				w.choices = append(w.choices, choice{at, len(w.left), len(w.left)})
				w.left = append(w.left, rest...)
			}
		case k.m.Atoms[at].Element == dummy:
		case last >= 0 && backtracks < maxBacktracks:
			k.backtrack(w.choices[last].atom)
			first = 0
			backtracks++
		default:
			for _, b := range w.doubles {
				k.m.Bonds[b].Kind = Single
			}
			return false
		}
	}
}

// compare orders atoms by rank, then by index.
func (k *kekulizer) compare(a, b int32) int {
	if k.ranks == nil {
		return cmp.Compare(a, b)
	}
	return cmp.Or(cmp.Compare(k.ranks[a], k.ranks[b]), cmp.Compare(a, b))
}

// look queues the neighbours of an atom that are yet to visit and lists those
// it could have a double bond to as options.
func (k *kekulizer) look(at int32) {
	m, w := k.m, &k.walk
	w.nbrs, w.options = w.nbrs[:0], w.options[:0]
	for _, nb := range m.adj[at] {
		if k.in[nb.Atom] && !w.isDone[nb.Atom] {
			w.nbrs = append(w.nbrs, nb)
		}
	}
	slices.SortFunc(w.nbrs, func(a, b Neighbor) int { return k.compare(a.Atom, b.Atom) })
	for _, nb := range w.nbrs {
		if !w.queued[nb.Atom] {
			w.queued[nb.Atom] = true
			w.queue = append(w.queue, nb.Atom)
		}
		if w.want[at] && w.want[nb.Atom] && (m.Bonds[nb.Bond].Aromatic ||
			m.Atoms[at].Element == dummy || m.Atoms[nb.Atom].Element == dummy) {
			w.options = append(w.options, nb.Atom)
		}
	}
}

// bind gives two atoms a double bond.
func (k *kekulizer) bind(at, to int32) {
	w := &k.walk
	bond := int32(k.m.BondBetween(int(at), int(to)))
	k.m.Bonds[bond].Kind, k.m.Bonds[bond].Direction = Double, NoDirection
	w.doubles = append(w.doubles, bond)
	w.want[at], w.want[to] = false, false
}

// rebind takes the next option of the last choice.
func (k *kekulizer) rebind() {
	w := &k.walk
	c := &w.choices[len(w.choices)-1]
	at, to := c.atom, w.left[c.next]
	if c.next++; c.next == len(w.left) { // that was its last option
		w.left = w.left[:c.first]
		w.choices = w.choices[:len(w.choices)-1]
	}
	k.bind(at, to)
}

// backtrack goes back to before the visit of an atom: those visited since are
// queued before all others, in the same order, and double bonds between them are
// single again.
func (k *kekulizer) backtrack(to int32) {
	w := &k.walk
	at := slices.Index(w.done, to)
	undone := w.done[at:]
	for _, a := range undone {
		w.isDone[a], w.queued[a] = false, true
	}
	w.queue, w.head = slices.Concat(undone, w.queue[w.head:]), 0
	w.done = w.done[:at]
	w.doubles = slices.DeleteFunc(w.doubles, func(bond int32) bool {
		b := &k.m.Bonds[bond]
		if w.isDone[b.Begin] || w.isDone[b.End] {
			return false
		}
		b.Kind = Single
		w.want[b.Begin], w.want[b.End] = true, true
		return true
	})
}
