package data

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestDealHoldsItsBound checks what deal guarantees on many random group sizes.
func TestDealHoldsItsBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		k := 2 + rng.IntN(9)
		groups := make([]dealt, k+rng.IntN(60))
		rows, largest := 0, 0
		for i := range groups {
			size := 1 + rng.IntN(4)
			if rng.IntN(8) == 0 {
				size = 1 + rng.IntN(60)
			}
			for range size {
				groups[i].rows = append(groups[i].rows, rows)
				rows++
			}
			groups[i].stratum = int32(rng.IntN(1 + rng.IntN(4)))
			groups[i].counts = []int{rng.IntN(size + 1), rng.IntN(2)}
			largest = max(largest, size)
		}
		of := make([]int, rows)
		for i, g := range groups {
			for _, r := range g.rows {
				of[r] = i
			}
		}
		hands := deal(slices.Clone(groups), k, rng)
		var all []int
		for _, h := range hands {
			if len(h) == 0 {
				t.Fatalf("an empty fold of %d, %d groups", k, len(groups))
			}
			biggest := 0 // group of this fold
			for _, r := range h {
				biggest = max(biggest, len(groups[of[r]].rows))
			}
			if over := float64(len(h)) - float64(rows)/float64(k); over > float64(biggest) {
				t.Fatalf("a fold of %d rows exceeds %d/%d by more than its largest group, %d", len(h), rows, k, biggest)
			}
			where := make(map[int]bool)
			for _, r := range h {
				where[of[r]] = true
			}
			for g := range where {
				for _, r := range groups[g].rows {
					if !slices.Contains(h, r) {
						t.Fatalf("group %d straddles", g)
					}
				}
			}
			all = append(all, h...)
		}
		slices.Sort(all)
		for i, r := range all {
			if i != r {
				t.Fatalf("row %d is not validated exactly once", i)
			}
		}
	}
}

func TestDealStratifies(t *testing.T) {
	var groups []dealt
	for r := range 100 {
		s := int32(0)
		if r >= 80 {
			s = 1
		}
		groups = append(groups, dealt{rows: []int{r}, stratum: s})
	}
	for _, h := range deal(groups, 5, rand.New(rand.NewPCG(3, 0))) {
		minor := 0
		for _, r := range h {
			if r >= 80 {
				minor++
			}
		}
		if len(h) != 20 || minor != 4 {
			t.Errorf("a fold of %d with %d of the minor stratum, want 20 and 4", len(h), minor)
		}
	}
}

func TestDealSpreadsRareTargets(t *testing.T) {
	for seed := range uint64(20) {
		var groups []dealt
		for r := range 200 {
			g := dealt{rows: []int{r}, counts: []int{1, 0}}
			if r < 7 {
				g.counts[1] = 1
			}
			groups = append(groups, g)
		}
		for _, h := range deal(groups, 5, rand.New(rand.NewPCG(seed, 0))) {
			if h[0] >= 7 {
				t.Errorf("seed %d: a fold without one of seven rare values", seed)
			}
		}
	}
}

func TestFoldsJSONIsPolyIDs(t *testing.T) {
	text := `{"0":{"train":[1,2],"validate":[0]},"1":{"train":[0],"validate":[1,2]},"10":{"train":[0,1],"validate":[2]}}`
	var f Folds
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "folds", f, Folds{{[]int{1, 2}, []int{0}}, {[]int{0}, []int{1, 2}}, {[]int{0, 1}, []int{2}}})
	back, err := json.Marshal(f[:2])
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"0":{"train":[1,2],"validate":[0]},"1":{"train":[0],"validate":[1,2]}}`; string(back) != want {
		t.Errorf("JSON %s, want %s", back, want)
	}
	for _, bad := range []string{`{"a":{}}`, `{"-1":{}}`, `{"1":{},"01":{}}`, `[1]`, `{"0":{"train":["x"]}}`} {
		if err := json.Unmarshal([]byte(bad), &f); err == nil {
			t.Errorf("%s was read as folds", bad)
		}
	}
	f = Folds{{}}
	if err := json.Unmarshal([]byte("null"), &f); err != nil || f != nil {
		t.Errorf("null: %v, %v", f, err)
	}
}
