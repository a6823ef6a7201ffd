package predict

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/train"
)

// Neighbour is a training polymer that is like an input.
type Neighbour struct {
	Polymer    string                   `json:"polymer"` // as the training table states it
	Similarity float64                  `json:"similarity"`
	Measured   map[string]train.Measure `json:"measured"` // means over its rows
}

// shownNeighbours is how many an answer has.
const shownNeighbours = 5

// library is the training polymers with their fingerprints, made when it is first
// asked for.
type library struct {
	known []revision.Known
	once  sync.Once
	print []featurize.Fingerprint
}

// fingerprint is that of a polymer as a table states it: the Morgan counts of its
// SMILES, or of all its monomers.
func fingerprint(text string) (f featurize.Fingerprint, ok bool) {
	if strings.HasPrefix(text, "(") || strings.HasPrefix(text, "[") && strings.Contains(text, "'") {
		monomers, err := data.ParseMonomers(text)
		if err != nil {
			return f, false
		}
		text = strings.Join(monomers, ".")
	}
	m, err := smiles.Read(text)
	if err != nil {
		return f, false
	}
	return featurize.NewFingerprint(m), true
}

// neighbours are the training polymers nearest to an input by Tanimoto similarity of
// Morgan counts, of structures as they are stated: of the input's chain where the
// training table states chains and the input does not. It is nil where the revision
// does not hold its training rows. Cost: reading all training polymers once, then
// the stored counts of all.
func (m *Model) neighbours(p polymer, r *Result, enter func() (leave func())) []Neighbour {
	if m.library.known == nil {
		r.warn(warnExplain, "neighbours: the revision does not hold its training rows")
		return nil
	}
	defer enter()()
	m.library.once.Do(func() {
		for _, k := range m.library.known {
			f, _ := fingerprint(k.Polymer)
			m.library.print = append(m.library.print, f)
		}
	})
	notation := p.structure.Notation()
	text, _ := p.structure.Field(string(notation))
	if stated := m.Config.Chains.Notations; !slices.Contains(stated, notation) && slices.Contains(stated, data.Polymer) {
		text = r.SMILES
	}
	own, ok := fingerprint(text)
	if !ok {
		return []Neighbour{}
	}
	type near struct {
		at         int
		similarity float64
	}
	list := make([]near, len(m.library.print))
	for i, f := range m.library.print {
		list[i] = near{i, own.Tanimoto(f)}
	}
	slices.SortStableFunc(list, func(a, b near) int { return cmp.Compare(b.similarity, a.similarity) })
	out := []Neighbour{}
	for _, n := range list[:min(len(list), shownNeighbours)] {
		k := m.library.known[n.at]
		measured := map[string]train.Measure{}
		for t, target := range m.Config.Targets {
			if y := k.Measured[t]; !math.IsNaN(y) {
				measured[target.Name] = train.Measure(y)
			}
		}
		out = append(out, Neighbour{k.Polymer, n.similarity, measured})
	}
	return out
}
