package data

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
)

// Fold is one way to divide the rows: what a model learns from and what judges
// it. Rows are ascending.
type Fold struct {
	Train    []int `json:"train"`
	Validate []int `json:"validate"`
}

// Folds is PolyID's kfold file: an object of folds by number.
type Folds []Fold

// MarshalJSON writes {"0": {"train": […], "validate": […]}, …}.
func (f Folds) MarshalJSON() ([]byte, error) {
	if f == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, fold := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		body, err := json.Marshal(fold)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", strconv.Itoa(i), body)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads folds in the order of their numbers.
func (f *Folds) UnmarshalJSON(text []byte) error {
	var named map[string]Fold
	if err := json.Unmarshal(text, &named); err != nil {
		return fmt.Errorf(`folds are {"0": {"train": [rows], "validate": [rows]}, …}: %w`, err)
	}
	numbers := make(map[int]Fold, len(named))
	for name, fold := range named {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 {
			return fmt.Errorf("folds are named by number, not %q", name)
		}
		numbers[n] = fold
	}
	if len(numbers) != len(named) {
		return fmt.Errorf("two folds have the same number")
	}
	*f = nil
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		*f = append(*f, numbers[n])
	}
	return nil
}

// deal assigns each group to one of k folds and returns the folds' rows.
//
// Groups come large before small, by powers of two, and within a size those
// with the rarest targets first, in the seed's order. Each goes to a fold that
// it does not fill beyond rows/k rounded up, or, if it would overfill all, to
// the emptiest. Of those it takes the one with fewest rows of the group's
// stratum, then fewest rows, then least of the group's targets.
//
// No fold exceeds rows/k by more than its last group: the emptiest fold holds at
// most rows/k before. And no fold stays empty while there are k groups, since an
// empty one is always first choice. The cost is O(groups · k · targets).
func deal(groups []dealt, k int, rng *rand.Rand) [][]int {
	rows, targets := 0, 0
	for _, g := range groups {
		rows += len(g.rows)
		targets = len(g.counts)
	}
	total := make([]int, targets)
	for _, g := range groups {
		for t, n := range g.counts {
			total[t] += n
		}
	}
	rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	slices.SortStableFunc(groups, func(a, b dealt) int {
		return cmp.Or(
			cmp.Compare(bits.Len(uint(len(b.rows))), bits.Len(uint(len(a.rows)))),
			cmp.Compare(a.rarest(total), b.rarest(total)))
	})
	bound := (rows + k - 1) / k
	hands := make([]hand, k)
	for i := range hands {
		hands[i] = hand{strata: make(map[int32]int), counts: make([]int, targets)}
	}
	for _, g := range groups {
		fits := slices.ContainsFunc(hands, func(h hand) bool { return len(h.rows)+len(g.rows) <= bound })
		best := -1
		for i := range hands {
			if fits && len(hands[i].rows)+len(g.rows) > bound {
				continue
			}
			if best < 0 || hands[i].before(&hands[best], g, fits) {
				best = i
			}
		}
		hands[best].take(g)
	}
	out := make([][]int, k)
	for i, n := range rng.Perm(k) {
		out[n] = hands[i].rows
		slices.Sort(out[n])
	}
	return out
}

// dealt is a group to deal.
type dealt struct {
	rows    []int
	stratum int32
	counts  []int // values of each target
}

// rarest is the number of values, in all groups, of the rarest target that this
// one has.
func (g *dealt) rarest(total []int) int {
	least := int(^uint(0) >> 1)
	for t, n := range g.counts {
		if n > 0 {
			least = min(least, total[t])
		}
	}
	return least
}

// hand is what a fold holds so far.
type hand struct {
	rows   []int
	strata map[int32]int // rows of each stratum
	counts []int         // values of each target
}

// before says whether g is better put here than there. While groups fit, strata
// come first; then only size counts, which the bound rests on.
func (h *hand) before(other *hand, g dealt, fits bool) bool {
	strata := cmp.Compare(h.strata[g.stratum], other.strata[g.stratum])
	size := cmp.Compare(len(h.rows), len(other.rows))
	if !fits {
		strata, size = size, strata
	}
	if c := cmp.Or(strata, size); c != 0 {
		return c < 0
	}
	mine, theirs := 0, 0
	for t, n := range g.counts {
		if n > 0 {
			mine += h.counts[t]
			theirs += other.counts[t]
		}
	}
	return mine < theirs
}

func (h *hand) take(g dealt) {
	h.rows = append(h.rows, g.rows...)
	h.strata[g.stratum] += len(g.rows)
	for t, n := range g.counts {
		h.counts[t] += n
	}
}
