package structure

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
)

// rounds is how far, in bonds, an atom looks around itself; twice, before and
// after it is told what is stereo.
const rounds = 64

// Identity names the polymer that a repeat unit stands for, wherever the unit was
// cut and however often it repeats a smaller one: *CCO*, *OCC* and *COC* are one
// polymer, and *CCCC* is *CC*. It is "" for what is no repeat unit. It is
// data.Options.Identify and takes about 0.1 ms.
//
// The unit is closed to a ring of itself, in which every atom is coloured by what
// lies around it in the endless chain. A polymer is the set of its colours: how
// many units a ring has does not change them. Two polymers have equal sets only if
// no walk tells them apart, ring sizes, charges, hydrogens and stereo included.
func Identity(unit string) string {
	if _, err := polymer.ReadUnit(unit); err != nil {
		return ""
	}
	m, err := smiles.Read(unit)
	if err != nil {
		return ""
	}
	smiles.FixGeometries(m)
	r := closeRing(m)
	r.refine()
	r.stereo()
	r.refine()
	colours := make([]uint64, 0, len(r.colour))
	for i, c := range r.colour {
		if m.Atoms[i].Element != 0 {
			colours = append(colours, c)
		}
	}
	slices.Sort(colours)
	h := sha256.New()
	var b [8]byte
	for _, c := range slices.Compact(colours) {
		binary.BigEndian.PutUint64(b[:], c)
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// ring is a repeat unit bonded to itself.
type ring struct {
	m      *mol.Mol
	to     [][]link // per atom, in the order of its bonds
	colour []uint64
	next   []uint64
}

// link is a bond to a neighbour, the next unit's across the ends.
type link struct {
	atom int32
	kind uint64
}

func closeRing(m *mol.Mol) *ring {
	r := &ring{m: m, to: make([][]link, len(m.Atoms)), colour: make([]uint64, len(m.Atoms)), next: make([]uint64, len(m.Atoms))}
	var ends []int32
	for i := range m.Atoms {
		if m.Atoms[i].Element == 0 {
			ends = append(ends, int32(i))
		}
	}
	for i := range m.Atoms {
		a := &m.Atoms[i]
		if a.Element == 0 {
			continue
		}
		r.colour[i] = mix(uint64(a.Element) | uint64(uint8(a.Charge))<<8 | uint64(a.Isotope)<<16 |
			uint64(a.ExplicitHs+a.ImplicitHs)<<32 | uint64(a.Ring)<<40 | uint64(a.Radicals)<<48 | flag(a.Aromatic)<<56)
		for _, nb := range m.Neighbors(i) {
			b := &m.Bonds[nb.Bond]
			l := link{nb.Atom, mix(uint64(b.Kind)<<8 | uint64(b.Ring))}
			if at := slices.Index(ends, nb.Atom); at >= 0 {
				l.atom = m.Neighbors(int(ends[1-at]))[0].Atom
			}
			if b.Kind == mol.Dative && b.Begin == int32(i) {
				l.kind = mix(l.kind + 1)
			}
			r.to[i] = append(r.to[i], l)
		}
	}
	return r
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// refine colours every atom by the colours around it.
func (r *ring) refine() {
	for range rounds {
		for i, c := range r.colour {
			sum := mix(c)
			for _, l := range r.to[i] {
				sum += mix(r.colour[l.atom] ^ l.kind)
			}
			r.next[i] = mix(sum)
		}
		r.colour, r.next = r.next, r.colour
	}
}

// stereo colours centres and the ends of double bonds by their handedness, where
// the colours around them give their neighbours an order.
func (r *ring) stereo() {
	copy(r.next, r.colour)
	for i := range r.m.Atoms {
		tag := r.m.Atoms[i].Chirality
		if tag != mol.Clockwise && tag != mol.Counterclockwise {
			continue
		}
		if odd, ok := r.parity(r.to[i]); ok {
			r.next[i] = mix(r.colour[i] + 1 + flag(odd == (tag == mol.Clockwise)))
		}
	}
	for i := range r.m.Bonds {
		b := &r.m.Bonds[i]
		if b.Stereo != mol.StereoCis && b.Stereo != mol.StereoTrans {
			continue
		}
		trans, ok := b.Stereo == mol.StereoTrans, true
		ends := [2]int32{b.Begin, b.End}
		for side, end := range ends {
			first, tied := r.first(end, ends[1-side])
			if tied || first < 0 {
				ok = false
			} else if r.m.Neighbors(int(end))[first].Atom != b.StereoAtom[side] {
				trans = !trans
			}
		}
		if ok {
			for _, end := range ends {
				r.next[end] = mix(r.colour[end] + 3 + flag(trans))
			}
		}
	}
	r.colour, r.next = r.next, r.colour
}

// parity is the permutation of neighbours from the order of their colours to that
// of their bonds, and whether no two have one colour.
func (r *ring) parity(to []link) (odd, ok bool) {
	for x := range to {
		for y := range x {
			switch cx, cy := r.colour[to[x].atom], r.colour[to[y].atom]; {
			case cx == cy:
				return false, false
			case cy > cx:
				odd = !odd
			}
		}
	}
	return odd, true
}

// first is which neighbour at an end of a double bond has the least colour, and
// whether another one shares it.
func (r *ring) first(end, across int32) (at int, tied bool) {
	at = -1
	nbs := r.m.Neighbors(int(end))
	for k, l := range r.to[end] {
		switch {
		case nbs[k].Atom == across:
		case at < 0 || r.colour[l.atom] < r.colour[r.to[end][at].atom]:
			at, tied = k, false
		case r.colour[l.atom] == r.colour[r.to[end][at].atom]:
			tied = true
		}
	}
	return at, tied
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
