package featurize

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"polyid-trainer/featurize/mol"
)

// Domain is PolyID's domain of validity: the Morgan hashes of the training
// set. A polymer is the further outside the more of its own hashes the training
// set lacks. Adding and querying must not run at once; queries may.
type Domain struct {
	hashes map[uint32]struct{}
	// lacks are, by property, the hashes that only polymers have of which it was not
	// measured. A property that is not there lacks none.
	lacks map[string]map[uint32]struct{}
}

// Unseen is a Morgan environment that no training molecule has.
type Unseen struct {
	Hash  uint32  `json:"hash"`
	Atoms []int32 `json:"atoms"` // every atom within one of its occurrences, ascending
}

// Add extends the training set by m, sanitized and without added hydrogens.
func (d *Domain) Add(m *mol.Mol) {
	if d.hashes == nil {
		d.hashes = map[uint32]struct{}{}
	}
	for _, e := range Environments(m) {
		d.hashes[e.Hash] = struct{}{}
	}
}

// AddMeasured is Add of a polymer of which some of all properties were measured.
func (d *Domain) AddMeasured(m *mol.Mol, measured func(property string) bool, properties []string) {
	var fresh, known []uint32
	for _, e := range Environments(m) {
		if _, ok := d.hashes[e.Hash]; ok {
			known = append(known, e.Hash)
		} else {
			fresh = append(fresh, e.Hash)
		}
	}
	d.Add(m)
	for _, p := range properties {
		lacks := d.lacks[p]
		if measured(p) {
			for _, h := range known {
				delete(lacks, h)
			}
			continue
		}
		for _, h := range fresh {
			if lacks == nil {
				if d.lacks == nil {
					d.lacks = map[string]map[uint32]struct{}{}
				}
				lacks = map[uint32]struct{}{}
				d.lacks[p] = lacks
			}
			lacks[h] = struct{}{}
		}
	}
}

// UnseenBy lists, for each of properties, the distinct hashes of m that no polymer
// has of which it was measured, ascending. Cost: that of Environments, and a look-up
// for each hash and property.
func (d *Domain) UnseenBy(m *mol.Mol, properties []string) [][]uint32 {
	var own []uint32
	for _, e := range Environments(m) {
		own = append(own, e.Hash)
	}
	slices.Sort(own)
	own = slices.Compact(own)
	out := make([][]uint32, len(properties))
	for i, p := range properties {
		for _, h := range own {
			_, known := d.hashes[h]
			if _, lacks := d.lacks[p][h]; lacks || !known {
				out[i] = append(out[i], h)
			}
		}
	}
	return out
}

// Len is the number of distinct hashes.
func (d *Domain) Len() int { return len(d.hashes) }

// Unseen lists the distinct hashes of m that are absent from the training set,
// ascending. Their number is PolyID's score (fps_notin_train). Cost: that of
// Environments, and O(n) for each unseen hash.
func (d *Domain) Unseen(m *mol.Mol) []Unseen {
	occurrences := map[uint32][]Environment{}
	for _, e := range Environments(m) {
		if _, known := d.hashes[e.Hash]; !known {
			occurrences[e.Hash] = append(occurrences[e.Hash], e)
		}
	}
	unseen := make([]Unseen, 0, len(occurrences))
	for h, envs := range occurrences {
		unseen = append(unseen, Unseen{Hash: h, Atoms: covered(m, envs)})
	}
	slices.SortFunc(unseen, func(x, y Unseen) int { return cmp.Compare(x.Hash, y.Hash) })
	return unseen
}

// covered lists the atoms within Radius bonds of the centre of each of envs,
// ascending, walking outwards from all of them at once.
func covered(m *mol.Mol, envs []Environment) []int32 {
	var atoms, shell []int32
	within := make(map[int32]bool, 8*len(envs))
	add := func(a int32) {
		if !within[a] {
			within[a] = true
			atoms = append(atoms, a)
		}
	}
	for left := int32(MorganRadius); left >= 0; left-- { // bonds still to go from shell
		start := len(atoms)
		for _, a := range shell {
			for _, nb := range m.Neighbors(int(a)) {
				add(nb.Atom)
			}
		}
		for _, e := range envs {
			if e.Radius == left {
				add(e.Center)
			}
		}
		shell = atoms[start:]
	}
	slices.Sort(atoms)
	return atoms
}

// domainJSON is the file form of a Domain.
type domainJSON struct {
	Fingerprint string   `json:"fingerprint"`
	Radius      int      `json:"radius"`
	Hashes      []uint32 `json:"hashes"` // ascending
	// Unmeasured are, by property, those of hashes that only polymers have of which it
	// was not measured, ascending.
	Unmeasured map[string][]uint32 `json:"unmeasured,omitempty"`
}

// domainFingerprint names what the hashes are, so that a file made with other
// fingerprints is refused rather than finding everything unseen.
const domainFingerprint = "morgan_unhashed_32"

// MarshalJSON writes the hashes in ascending order.
func (d *Domain) MarshalJSON() ([]byte, error) {
	hashes := make([]uint32, 0, len(d.hashes))
	for h := range d.hashes {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	f := domainJSON{Fingerprint: domainFingerprint, Radius: MorganRadius, Hashes: hashes}
	for property, lacks := range d.lacks {
		if len(lacks) > 0 {
			if f.Unmeasured == nil {
				f.Unmeasured = map[string][]uint32{}
			}
			f.Unmeasured[property] = slices.Sorted(maps.Keys(lacks))
		}
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Domain) UnmarshalJSON(b []byte) error {
	var f domainJSON
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("domain of validity: %w", err)
	}
	if f.Fingerprint != domainFingerprint || f.Radius != MorganRadius {
		return fmt.Errorf("domain of validity: it holds %q of radius %d, want %q of radius %d",
			f.Fingerprint, f.Radius, domainFingerprint, MorganRadius)
	}
	hashes := make(map[uint32]struct{}, len(f.Hashes))
	for i, h := range f.Hashes {
		if i > 0 && h <= f.Hashes[i-1] {
			return fmt.Errorf("domain of validity: hash %d is not above the one before it", h)
		}
		hashes[h] = struct{}{}
	}
	d.hashes, d.lacks = hashes, nil
	for property, list := range f.Unmeasured {
		lacks := make(map[uint32]struct{}, len(list))
		for _, h := range list {
			lacks[h] = struct{}{}
		}
		if d.lacks == nil {
			d.lacks = map[string]map[uint32]struct{}{}
		}
		d.lacks[property] = lacks
	}
	return nil
}
