package screen

import (
	"iter"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/jobs/screenings"
)

// diverse leaves out the rows that are closer than distance to one before them that
// is kept: Tanimoto distance on counts of Morgan environments, of repeat units as
// they are written, chains, or all monomers together. Rows whose structure cannot be
// read are left out. It costs O(rows · rows kept) comparisons, of environments that
// two rows may share.
func diverse(rows iter.Seq2[screenings.Row, error], source screenings.Source, distance float64) iter.Seq2[screenings.Row, error] {
	columns := structureColumns(source)
	return func(yield func(screenings.Row, error) bool) {
		var kept []counts
		for r, err := range rows {
			if err != nil {
				yield(r, err)
				return
			}
			c, ok := countsOf(&r, columns)
			if !ok || slices.ContainsFunc(kept, func(k counts) bool { return 1-tanimoto(k, c) < distance }) {
				continue
			}
			kept = append(kept, c)
			if !yield(r, nil) {
				return
			}
		}
	}
}

// structureColumns are the columns that may hold a row's structure, in the order in
// which they are preferred.
func structureColumns(s screenings.Source) (columns []int) {
	for _, name := range []string{s.Roles.Polymer, s.Roles.RepeatUnit, s.Roles.Monomers} {
		if i := slices.Index(s.Header, name); name != "" && i >= 0 {
			columns = append(columns, i)
		}
	}
	return columns
}

// counts are how often each Morgan environment occurs, by hash.
type counts struct {
	hash  []uint32 // ascending
	count []int32
	total int
}

func countsOf(r *screenings.Row, columns []int) (c counts, ok bool) {
	text := ""
	for _, i := range columns {
		if text = strings.TrimSpace(r.Cells[i]); text != "" {
			break
		}
	}
	monomers, err := data.ParseMonomers(text)
	if err != nil || len(monomers) == 0 {
		return c, false
	}
	environments := map[uint32]int{}
	for _, m := range monomers {
		mol, err := smiles.Read(m)
		if err != nil {
			return c, false
		}
		for hash, n := range featurize.Morgan(mol) {
			environments[hash] += n
		}
	}
	for hash := range environments {
		c.hash = append(c.hash, hash)
	}
	slices.Sort(c.hash)
	for _, hash := range c.hash {
		n := environments[hash]
		c.count = append(c.count, int32(n))
		c.total += n
	}
	return c, true
}

// tanimoto is the similarity of two counts: the sum of the lesser of each over that
// of the greater.
func tanimoto(a, b counts) float64 {
	shared, i, j := 0, 0, 0
	for i < len(a.hash) && j < len(b.hash) {
		switch {
		case a.hash[i] < b.hash[j]:
			i++
		case a.hash[i] > b.hash[j]:
			j++
		default:
			shared += int(min(a.count[i], b.count[j]))
			i++
			j++
		}
	}
	if all := a.total + b.total - shared; all > 0 {
		return float64(shared) / float64(all)
	}
	return 1
}
