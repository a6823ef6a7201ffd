package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// groupFurther keeps together what a cluster or a column does, beside the rows of one
// polymer. A blank cell stands for nothing.
func (p *partitioner) groupFurther() error {
	switch name := p.q.Split.GroupBy.Column(); {
	case p.q.Split.GroupBy == ByCluster:
		if len(p.q.ClusterKeys) != p.Rows() {
			return fmt.Errorf("%d cluster keys for %d rows", len(p.q.ClusterKeys), p.Rows())
		}
		p.out.Groups = p.out.Groups.Merge(GroupBy(p.q.ClusterKeys))
	case name != "":
		if p.Kept[name] == nil {
			return &SettingError{"group_by/column", fmt.Sprintf("the table has no column %q", name)}
		}
		keys := make([]string, p.Rows())
		for row := range keys {
			if keys[row] = "=" + p.kept(name, row); keys[row] == "=" {
				keys[row] = fmt.Sprint(row)
			}
		}
		p.out.Groups = p.out.Groups.Merge(GroupBy(keys))
	}
	return nil
}

// orderFolds makes k folds in the order of a column: the groups are divided into k+1
// blocks, and fold i trains on the blocks up to i and validates the next. A group
// counts at its latest row, so that nothing learned from is later than what is
// validated; rows of one time share a block.
func (p *partitioner) orderFolds() error {
	name, k := p.q.Split.OrderBy, p.q.Folds
	bad := func(format string, args ...any) error {
		return &SettingError{"order_by", fmt.Sprintf(format, args...)}
	}
	if p.Kept[name] == nil {
		return bad("the table has no column %q", name)
	}
	type block struct {
		at   moment
		rows []int
	}
	var blocks []block // one a moment, then one a fold and one more
	blank, total := 0, 0
	for _, g := range p.groups(false) {
		latest := moment{}
		for _, r := range g.rows {
			cell := p.kept(name, r)
			if cell == "" {
				blank++
			}
			if at := momentOf(cell); latest.before(at) {
				latest = at
			}
		}
		total += len(g.rows)
		blocks = append(blocks, block{latest, g.rows})
	}
	if blank > 0 {
		return bad("%d rows have nothing in the column %q", blank, name)
	}
	slices.SortStableFunc(blocks, func(a, b block) int {
		switch {
		case a.at.before(b.at):
			return -1
		case b.at.before(a.at):
			return 1
		}
		return 0
	})
	parts := make([][]int, 1, k+1)
	done := 0
	for i, b := range blocks {
		last := len(parts) - 1
		if i > 0 && blocks[i-1].at.before(b.at) && len(parts) <= k && done*(k+1) >= total*len(parts) {
			parts = append(parts, nil)
			last++
		}
		parts[last] = append(parts[last], b.rows...)
		done += len(b.rows)
	}
	if len(parts) <= k {
		return bad("the column %q has too few different values to divide the rows into %d parts, one more than folds", name, k+1)
	}
	var train []int
	for i := range k {
		train = append(train, parts[i]...)
		fold := Fold{Train: slices.Sorted(slices.Values(train)), Validate: slices.Sorted(slices.Values(parts[i+1]))}
		p.out.Folds = append(p.out.Folds, fold)
	}
	return nil
}

// moment is a cell of an ordering column: a number, or text such as 2021-03-04, which
// sorts as it is written and behind all numbers.
type moment struct {
	number float64
	text   string
	known  bool
}

func momentOf(cell string) moment {
	if v, ok := decimal(cell); ok {
		return moment{number: v, known: true}
	}
	return moment{number: math.Inf(1), text: strings.ToLower(cell), known: true}
}

// before is false of equal moments; an unknown one is before all others.
func (m moment) before(other moment) bool {
	if m.known != other.known {
		return !m.known
	}
	return cmp.Or(cmp.Compare(m.number, other.number), cmp.Compare(m.text, other.text)) < 0
}
