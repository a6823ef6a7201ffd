package datasets

import (
	"fmt"
	"sync"
	"sync/atomic"

	"polyid-trainer/data"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/featurize/structure"
)

// checker judges the SMILES of one table and remembers how large they are, so
// that each is read once.
type checker struct {
	limit int      // heavy atoms of a polymer
	heavy sync.Map // text → heavy atoms

	unread atomic.Int64 // SMILES with something behind them that is not read
	note   atomic.Pointer[string]
}

// warnings are what the checker noticed that is no defect.
func (c *checker) warnings() []data.Warning {
	n := c.unread.Load()
	if n == 0 {
		return nil
	}
	return []data.Warning{{Code: "extension_not_read", Detail: fmt.Sprintf("%d SMILES have a name or an extension behind them: %s", n, *c.note.Load())}}
}

// check is data.Options.Check.
func (c *checker) check(n data.Notation, text string) error {
	if err := structure.Check(n, text); err != nil {
		return err
	}
	if note, _ := structure.Extension(text); note != "" {
		c.unread.Add(1)
		c.note.CompareAndSwap(nil, &note)
	}
	m, err := smiles.Read(text)
	if err != nil {
		return structure.Describe(err)
	}
	heavy := structure.HeavyAtoms(m)
	c.heavy.Store(text, heavy)
	if n == data.Polymer && heavy > c.limit {
		return &structure.Error{Code: "too_large", Monomer: -1, Detail: fmt.Sprintf("the polymer has %d heavy atoms, more than %d", heavy, c.limit)}
	}
	return nil
}

// oversize lists the rows whose chains, yet to be grown, will be larger than
// allowed by what the row says: its unit, and its DP if it states one. The DP of
// PolyID's tables that others get is not held against them. Monomers lose at
// most one heavy atom each as they join.
func (c *checker) oversize(t *data.Table) []data.Defect {
	var ds []data.Defect
	for i := range t.Structures {
		s := &t.Structures[i]
		dp, least := max(1, s.DP), 0
		switch s.Notation() {
		case data.RepeatUnit:
			least = dp * c.size(s.RepeatUnit)
		case data.Monomers:
			unit := c.size(s.Monomers[0])
			for _, m := range s.Monomers[1:] {
				unit = min(unit, c.size(m))
			}
			least = dp * max(0, unit-1)
		}
		if least > c.limit {
			ds = append(ds, data.Defect{Row: t.Origin[i].Row, Code: data.BadRange,
				Reason: fmt.Sprintf("a chain of %d has at least %d heavy atoms, more than %d", dp, least, c.limit)})
		}
	}
	return ds
}

func (c *checker) size(text string) int {
	n, _ := c.heavy.Load(text)
	heavy, _ := n.(int)
	return heavy
}
