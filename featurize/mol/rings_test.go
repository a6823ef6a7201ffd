package mol

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// graph is a molecule of iron, which bonds to anything.
func graph(atoms int, bonds ...[2]int32) *Mol {
	m := New(atoms, len(bonds))
	for range atoms {
		m.AddAtom(Atom{Element: 26})
	}
	for _, b := range bonds {
		m.AddBond(Bond{Begin: b[0], End: b[1], Kind: Single})
	}
	return m
}

// ringOf is a ring of n atoms with additional bonds.
func ringOf(n int32, more ...[2]int32) *Mol {
	var bonds [][2]int32
	for i := range n {
		bonds = append(bonds, [2]int32{i, (i + 1) % n})
	}
	return graph(int(n), append(bonds, more...)...)
}

func TestRings(t *testing.T) {
	for _, test := range []struct {
		name  string
		m     *Mol
		sizes []int // of the relevant cycles
		basis int
	}{
		{"chain", graph(4, [2]int32{0, 1}, [2]int32{1, 2}, [2]int32{2, 3}), nil, 0},
		{"hexagon", ringOf(6), []int{6}, 1},
		{"naphthalene", ringOf(10, [2]int32{0, 5}), []int{6, 6}, 2},
		{"norbornane", ringOf(6, [2]int32{0, 3}), []int{4, 4}, 2},
		{"bicyclo[2.2.2]octane", bicyclo222(), []int{6, 6, 6}, 2},
		{"cubane", cube(), []int{4, 4, 4, 4, 4, 4}, 5},
		{"tetrahedron", graph(4, [2]int32{0, 1}, [2]int32{0, 2}, [2]int32{0, 3}, [2]int32{1, 2}, [2]int32{1, 3}, [2]int32{2, 3}), []int{3, 3, 3, 3}, 3},
		{"spiro", graph(5, [2]int32{0, 1}, [2]int32{1, 2}, [2]int32{2, 0}, [2]int32{2, 3}, [2]int32{3, 4}, [2]int32{4, 2}), []int{3, 3}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.m.findRings(); err != nil {
				t.Fatal(err)
			}
			var sizes []int
			basis := 0
			for _, r := range test.m.Rings() {
				sizes = append(sizes, len(r.Atoms))
				if r.basis {
					basis++
				}
			}
			if !slices.Equal(sizes, test.sizes) || basis != test.basis {
				t.Errorf("rings of %v atoms, a basis of %d, want %v and %d", sizes, basis, test.sizes, test.basis)
			}
		})
	}
}

func bicyclo222() *Mol {
	m := ringOf(6)
	a, b := int32(m.AddAtom(Atom{Element: 26})), int32(m.AddAtom(Atom{Element: 26}))
	m.AddBond(Bond{Begin: 0, End: a, Kind: Single})
	m.AddBond(Bond{Begin: a, End: b, Kind: Single})
	m.AddBond(Bond{Begin: b, End: 3, Kind: Single})
	return m
}

func cube() *Mol {
	var bonds [][2]int32
	for i := range int32(8) {
		for bit := int32(1); bit < 8; bit <<= 1 {
			if i&bit == 0 {
				bonds = append(bonds, [2]int32{i, i | bit})
			}
		}
	}
	return graph(8, bonds...)
}

// A macrocycle of hexagons has two to the power of their number of largest
// rings; all its bonds must be marked although these are not listed.
func TestLargeFamily(t *testing.T) {
	const hexagons = 40
	m := New(0, 0)
	first, last := int32(-1), int32(-1)
	for range hexagons {
		at := int32(len(m.Atoms))
		for range 6 {
			m.AddAtom(Atom{Element: 26})
		}
		for i := range int32(6) {
			m.AddBond(Bond{Begin: at + i, End: at + (i+1)%6, Kind: Single})
		}
		if first < 0 {
			first = at
		} else {
			m.AddBond(Bond{Begin: last, End: at, Kind: Single})
		}
		last = at + 3
	}
	m.AddBond(Bond{Begin: last, End: first, Kind: Single})
	if err := m.findRings(); err != nil {
		t.Fatal(err)
	}
	// They are two families: by way of either side of the hexagon of their root.
	if n := len(m.Rings()); n != hexagons+2 {
		t.Errorf("%d rings, want %d", n, hexagons+2)
	}
	for i := range m.Bonds {
		want := uint8(6)
		if b := m.Bonds[i]; b.Begin/6 != b.End/6 {
			want = 4 * hexagons
		}
		if got := m.Bonds[i].Ring; got != want {
			t.Fatalf("bond %d is in a ring of %d, want %d", i, got, want)
		}
	}
}

// On random graphs the smallest ring of each bond must be what a search from
// end to end finds, the basis must have as many rings as the graph has
// independent ones, and each ring must be one.
func TestRandomRings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		n := 3 + r.IntN(20)
		var bonds [][2]int32
		for range n + r.IntN(n) {
			i, j := int32(r.IntN(n)), int32(r.IntN(n))
			if b := [2]int32{min(i, j), max(i, j)}; i != j && !slices.Contains(bonds, b) {
				bonds = append(bonds, b)
			}
		}
		m := graph(n, bonds...)
		if err := m.findRings(); err != nil {
			t.Fatal(err)
		}
		basis := 0
		for _, ring := range m.Rings() {
			if ring.basis {
				basis++
			}
			checkRing(t, m, ring)
		}
		if want := len(bonds) - n + fragments(m); basis != want {
			t.Fatalf("%v: a basis of %d rings, want %d", bonds, basis, want)
		}
		for i := range m.Bonds {
			if got, want := int(m.Bonds[i].Ring), smallestRing(m, int32(i)); got != want {
				t.Fatalf("%v: bond %d is in a ring of %d, want %d", bonds, i, got, want)
			}
		}
	}
}

func checkRing(t *testing.T, m *Mol, r Ring) {
	t.Helper()
	n := len(r.Atoms)
	if n != len(r.Bonds) || n < 3 {
		t.Fatalf("a ring of %d atoms and %d bonds", n, len(r.Bonds))
	}
	for k, a := range r.Atoms {
		b, next := m.Bonds[r.Bonds[k]], r.Atoms[(k+1)%n]
		if b.Begin^b.End != a^next || b.Begin != a && b.End != a {
			t.Fatalf("bond %d of ring %v joins %d and %d", k, r.Atoms, b.Begin, b.End)
		}
		if slices.Contains(r.Atoms[:k], a) || a < r.Atoms[0] {
			t.Fatalf("ring %v is not in normal order", r.Atoms)
		}
	}
	if r.Atoms[1] > r.Atoms[n-1] {
		t.Fatalf("ring %v goes the wrong way round", r.Atoms)
	}
}

// fragments is the number of connected parts.
func fragments(m *Mol) int {
	n, seen := 0, make([]bool, len(m.Atoms))
	for i := range m.Atoms {
		if !seen[i] {
			n++
			for _, j := range walk(m, int32(i), -1) {
				seen[j] = true
			}
		}
	}
	return n
}

// walk lists the atoms that can be reached from one without a bond, nearest
// first.
func walk(m *Mol, from, without int32) []int32 {
	queue := []int32{from}
	for head := 0; head < len(queue); head++ {
		for _, nb := range m.Neighbors(int(queue[head])) {
			if nb.Bond != without && !slices.Contains(queue, nb.Atom) {
				queue = append(queue, nb.Atom)
			}
		}
	}
	return queue
}

// smallestRing is the size of the smallest ring of a bond, 0 if it is in none.
func smallestRing(m *Mol, bond int32) int {
	b := m.Bonds[bond]
	dist := map[int32]int{b.Begin: 0}
	for _, i := range walk(m, b.Begin, bond) {
		for _, nb := range m.Neighbors(int(i)) {
			if _, ok := dist[nb.Atom]; !ok && nb.Bond != bond {
				dist[nb.Atom] = dist[i] + 1
			}
		}
	}
	if d, ok := dist[b.End]; ok {
		return d + 1
	}
	return 0
}
