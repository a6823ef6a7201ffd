package data

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// PartitionRequest is everything a division of a table follows from.
type PartitionRequest struct {
	Folds     int      // k; explicit folds count themselves
	Seed      uint64   // same request, same partition
	Split     Split    //
	Holdout   *Holdout // nil is none, as is one that is another dataset
	GraphKeys []string // one per row, equal for equal token graphs; needed by ByGraph only

	ClusterKeys []string // one per row, equal for structures of one cluster; needed by ByCluster only
}

// Partition divides a table's rows.
type Partition struct {
	Folds    Folds     `json:"folds"`
	Holdout  []int     `json:"holdout"` // in no fold; ascending
	Warnings []Warning `json:"warnings"`

	Groups Groups `json:"-"` // one per row: what stayed together
}

// Partition divides the measured rows into a hold-out set and k folds, each
// remaining row validated by exactly one. As in PolyID, rows without a value of
// any target are in neither. Dealt folds and fractions never divide a group, and
// no fold exceeds its share of the rows by more than one group. Explicit rows
// are taken as they are; what is odd about them becomes warnings.
func (t *Table) Partition(q PartitionRequest) (*Partition, error) {
	q.Split = q.Split.WithDefaults()
	if err := q.Split.Validate(); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	p := &partitioner{Table: t, q: q, rng: rand.New(rand.NewPCG(q.Seed, 0x706f6c796964))}
	p.out.Warnings = []Warning{}
	p.out.Holdout = []int{}
	p.away = make([]bool, t.Rows())
	for row := range p.away {
		p.away[row] = !t.Known(row)
	}
	if err := p.group(); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	if q.Holdout != nil {
		if err := p.holdOut(*q.Holdout); err != nil {
			return nil, fmt.Errorf("hold-out: %w", err)
		}
	}
	place := p.dealFolds
	if q.Split.OrderBy != "" {
		place = p.orderFolds
	}
	if q.Split.Folds != nil {
		place = p.placeFolds
	}
	if err := place(); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	p.inspect()
	return &p.out, nil
}

type partitioner struct {
	*Table
	q     PartitionRequest
	rng   *rand.Rand
	strat Groups // mechanisms
	away  []bool // rows that no fold gets: unmeasured or held out
	out   Partition
}

func (p *partitioner) warn(code, format string, args ...any) {
	p.out.Warnings = append(p.out.Warnings, Warning{code, fmt.Sprintf(format, args...)})
}

// group finds what must stay together, and the strata.
func (p *partitioner) group() error {
	p.out.Groups = p.PolymerGroups()
	if p.q.Split.GroupBy == ByGraph {
		if len(p.q.GraphKeys) != p.Rows() {
			return fmt.Errorf("%d graph keys for %d rows", len(p.q.GraphKeys), p.Rows())
		}
		p.out.Groups = p.out.Groups.Merge(GroupBy(p.q.GraphKeys))
	}
	if err := p.groupFurther(); err != nil {
		return err
	}
	mechanisms := make([]string, p.Rows())
	for i := range p.Structures {
		mechanisms[i] = p.Structures[i].Mechanism
	}
	p.strat = GroupBy(mechanisms)
	return nil
}

// groups are the groups of the rows that are there to deal. A group's stratum is
// its first row's: a polymer has one mechanism.
func (p *partitioner) groups(stratify bool) []dealt {
	var out []dealt
	for _, rows := range p.out.Groups.Members() {
		if rows = p.present(rows); len(rows) == 0 {
			continue
		}
		g := dealt{rows: rows, counts: p.Counts(rows)}
		if stratify {
			g.stratum = p.strat[rows[0]]
		}
		out = append(out, g)
	}
	return out
}

// present filters rows in place to those a fold may get.
func (p *partitioner) present(rows []int) []int {
	return slices.DeleteFunc(rows, func(r int) bool { return p.away[r] })
}

// dealFolds makes k folds of whole groups.
func (p *partitioner) dealFolds() error {
	k := p.q.Folds
	groups := p.groups(*p.q.Split.Stratify)
	switch {
	case k < 2:
		return fmt.Errorf("%d folds: two are the fewest", k)
	case k > len(groups):
		return fmt.Errorf("%d folds of %d groups: a group shares a fold, so there cannot be more folds than groups", k, len(groups))
	}
	hands := deal(groups, k, p.rng)
	for i := range hands {
		var train []int
		for j := range hands {
			if j != i {
				train = append(train, hands[j]...)
			}
		}
		slices.Sort(train)
		p.out.Folds = append(p.out.Folds, Fold{Train: train, Validate: hands[i]})
	}
	return nil
}

// holdOut takes rows away before the folds are made.
func (p *partitioner) holdOut(h Holdout) error {
	if err := h.Validate(); err != nil {
		return err
	}
	switch {
	case h.Rows != nil:
		rows, err := p.resolve(h.Rows, "holdout.rows")
		if err != nil {
			return err
		}
		p.out.Holdout = p.present(rows)
	case h.Dataset == nil:
		p.out.Holdout = p.draw(h)
	default:
		return nil
	}
	for _, r := range p.out.Holdout {
		p.away[r] = true
	}
	switch {
	case len(p.out.Holdout) == 0 && h.Rows != nil:
		return errors.New("its rows have no value of any target")
	case len(p.out.Holdout) == 0:
		return fmt.Errorf("no whole group fits into a fraction of %v", h.Fraction)
	case !slices.Contains(p.away, false):
		return fmt.Errorf("all %d rows are held out", len(p.out.Holdout))
	}
	return nil
}

// draw takes whole groups at random, of each stratum its share. What a stratum
// falls short of, the next one makes up for.
func (p *partitioner) draw(h Holdout) []int {
	strata := make(map[int32][]dealt)
	var order []int32
	for _, g := range p.groups(h.Stratify == ByMechanism) {
		if strata[g.stratum] == nil {
			order = append(order, g.stratum)
		}
		strata[g.stratum] = append(strata[g.stratum], g)
	}
	var out []int
	share := 0.0
	for _, s := range order {
		groups := strata[s]
		for _, g := range groups {
			share += h.Fraction * float64(len(g.rows))
		}
		p.rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		for _, g := range groups {
			if len(out)+len(g.rows) <= int(math.Round(share)) {
				out = append(out, g.rows...)
			}
		}
	}
	slices.Sort(out)
	return out
}

// placeFolds takes explicit folds as they are.
func (p *partitioner) placeFolds() error {
	validated := make([]int, p.Rows())
	seen := make([]bool, p.Rows())
	overlap, held := 0, 0
	for i, f := range p.q.Split.Folds {
		var fold Fold
		for _, side := range []struct {
			name string
			in   []int
			out  *[]int
		}{{"train", f.Train, &fold.Train}, {"validate", f.Validate, &fold.Validate}} {
			rows, err := p.resolve(side.in, fmt.Sprintf("folds.%d.%s", i, side.name))
			if err != nil {
				return err
			}
			for _, r := range p.out.Holdout {
				if _, named := slices.BinarySearch(rows, r); named {
					held++
				}
			}
			if rows = p.present(rows); len(rows) == 0 {
				return fmt.Errorf("folds.%d.%s has no rows left", i, side.name)
			}
			for _, r := range rows {
				seen[r] = true
			}
			*side.out = rows
		}
		for _, r := range fold.Validate {
			validated[r]++
			if _, both := slices.BinarySearch(fold.Train, r); both {
				overlap++
			}
		}
		p.out.Folds = append(p.out.Folds, fold)
	}
	never, twice, unused := 0, 0, 0
	for r, n := range validated {
		switch {
		case p.away[r]: // not missed
		case !seen[r]:
			unused++
		case n == 0:
			never++
		case n > 1:
			twice++
		}
	}
	for _, w := range []struct {
		n            int
		code, detail string
	}{
		{overlap, "folds_overlap", "%d rows validate a fold that trains on them"},
		{twice, "folds_repeat", "%d rows are validated by more than one fold"},
		{never, "folds_incomplete", "%d rows are trained on but never validated"},
		{unused, "folds_missing", "%d rows are in no fold"},
		{held, "folds_held_out", "%d entries were left out of the folds because their rows are held out"},
	} {
		if w.n > 0 {
			p.warn(w.code, w.detail, w.n)
		}
	}
	if n := p.straddling(); n > 0 {
		p.warn("groups_straddle", "%d validation rows belong to a %s that their fold also trains on", n, p.q.Split.GroupBy)
	}
	return nil
}

// resolve turns positions in the input into rows of the table, ascending and
// once each. Positions that were dropped are left out.
func (p *partitioner) resolve(positions []int, what string) ([]int, error) {
	rows := make([]int, 0, len(positions))
	dropped := 0
	for _, at := range positions {
		if at < 0 || at >= p.InputRows {
			return nil, fmt.Errorf("%s: there is no row %d; rows count from 0 to %d", what, at, p.InputRows-1)
		}
		row, ok := slices.BinarySearchFunc(p.Origin, at, func(o Origin, at int) int { return o.Position - at })
		if !ok {
			dropped++
			continue
		}
		rows = append(rows, row)
	}
	if dropped > 0 {
		p.warn("rows_dropped", "%s names %d rows that were dropped", what, dropped)
	}
	slices.Sort(rows)
	n := len(rows)
	rows = slices.Compact(rows)
	if n != len(rows) {
		p.warn("rows_repeated", "%s names %d rows twice", what, n-len(rows))
	}
	return rows, nil
}

// straddling counts validation rows whose group is also trained on.
func (p *partitioner) straddling() int {
	n := 0
	for _, f := range p.out.Folds {
		trained := make(map[int32]bool)
		for _, r := range f.Train {
			trained[p.out.Groups[r]] = true
		}
		for _, r := range f.Validate {
			if trained[p.out.Groups[r]] {
				n++
			}
		}
	}
	return n
}

// inspect warns of folds that cannot teach or judge a target.
func (p *partitioner) inspect() {
	for i, f := range p.out.Folds {
		p.missing(f.Validate, "fold_without_target", fmt.Sprintf("fold %d validates", i))
		p.missing(f.Train, "fold_trains_without_target", fmt.Sprintf("fold %d trains on", i))
	}
	if len(p.out.Holdout) > 0 {
		p.missing(p.out.Holdout, "holdout_without_target", "the hold-out set has")
	}
}

func (p *partitioner) missing(rows []int, code, what string) {
	var names []string
	for t, n := range p.Counts(rows) {
		if n == 0 {
			names = append(names, p.Targets[t].Name)
		}
	}
	if len(names) > 0 {
		p.warn(code, "%s no value of %s", what, strings.Join(names, ", "))
	}
}
