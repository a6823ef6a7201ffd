package data

import "testing"

func TestGroupBy(t *testing.T) {
	wantEqual(t, "groups", GroupBy([]string{"b", "a", "b", "c"}), Groups{0, 1, 0, 2})
	wantEqual(t, "members", Groups{0, 1, 0, 2}.Members(), [][]int{{0, 2}, {1}, {3}})
}

func TestMergeIsTransitive(t *testing.T) {
	// 0–1 and 2–3 by one grouping, 1–2 by the other: all four, not 4.
	a := Groups{0, 0, 1, 1, 2}
	b := Groups{0, 1, 1, 2, 3}
	wantEqual(t, "merged", a.Merge(b), Groups{0, 0, 0, 0, 1})
	wantEqual(t, "the other way", b.Merge(a), Groups{0, 0, 0, 0, 1})
}

func TestPolymerGroups(t *testing.T) {
	table, _ := mustRead(t, `smiles_polymer,smiles_repeat_unit,monomers,mechanism,pm,distribution,replicate_structure,Tg
CCO,,"('C', 'O')",ester,0.5,[],0,1
CCCO,,"('C', 'O')",ester,0.5,[],1,2
CCO,,"('C', 'O')",ester,0.6,[],0,3
CCN,,"('C', 'N')",ester,0.6,[],0,4
,*C*,,,,,,5
,*C*,,,,,,6
,*CC*,,,,,,7
,,C.O,ester,0.5,[],2,8
,,C.O,ester,0.5,"[1, 2]",0,9
`, Columns{}, Options{})
	// Rows 0 and 1 by recipe, 2 through 0's SMILES, 7 by recipe again.
	wantEqual(t, "groups", table.PolymerGroups(), Groups{0, 0, 0, 1, 2, 2, 3, 0, 4})
}

func TestPolymerGroupsOfPolyIDsTable(t *testing.T) {
	table := stereo(t)
	groups := table.PolymerGroups()
	chains := make(map[string]int32)
	recipes := make(map[string]int32)
	for i := range table.Structures {
		s := &table.Structures[i]
		for _, at := range []struct {
			seen map[string]int32
			key  string
		}{{chains, s.Polymer}, {recipes, recipe(s)}} {
			if g, ok := at.seen[at.key]; ok && g != groups[i] {
				t.Errorf("row %d has %q of group %d and is in group %d", i, at.key, g, groups[i])
			}
			at.seen[at.key] = groups[i]
		}
	}
	wantEqual(t, "recipes", len(recipes), 113)
	wantEqual(t, "chains", len(chains), 169)
	wantEqual(t, "groups", len(groups.Members()), 83)
}
