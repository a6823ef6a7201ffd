package data

import "fmt"

// GraphStats says how many structures of a table the network can distinguish. The graphs
// are the caller's: PolyID's v1 features see element, degree and aromaticity
// only, so chains that differ in tacticity have equal graphs.
type GraphStats struct {
	Rows            int `json:"rows"`
	Polymers        int `json:"polymers"`         // groups by polymer
	Graphs          int `json:"graphs"`           // distinct ones
	Largest         int `json:"largest"`          // rows that share one graph, at most
	ValidationRows  int `json:"validation_rows"`  // over all folds
	ValidationKnown int `json:"validation_known"` // of these, rows whose graph their fold also trains on
}

// GraphStats counts equal graphs among the rows, given a key of each row's
// graph, and how often folds validate on a graph they trained on.
func (t *Table) GraphStats(keys []string, folds Folds) GraphStats {
	s := GraphStats{Rows: len(keys)}
	s.Polymers = len(t.PolymerGroups().Members())
	graphs := GroupBy(keys)
	for _, rows := range graphs.Members() {
		s.Graphs++
		s.Largest = max(s.Largest, len(rows))
	}
	for _, f := range folds {
		trained := make([]bool, s.Graphs)
		for _, r := range f.Train {
			trained[graphs[r]] = true
		}
		for _, r := range f.Validate {
			s.ValidationRows++
			if trained[graphs[r]] {
				s.ValidationKnown++
			}
		}
	}
	return s
}

// Share is the fraction of validation rows that a fold has, to the network,
// already seen.
func (s GraphStats) Share() float64 {
	if s.ValidationRows == 0 {
		return 0
	}
	return float64(s.ValidationKnown) / float64(s.ValidationRows)
}

// Warning puts the figures in words if different polymers share graphs and
// folds validate on them.
func (s GraphStats) Warning() (w Warning, ok bool) {
	if s.Graphs >= s.Polymers || s.ValidationKnown == 0 {
		return Warning{}, false
	}
	return Warning{"features_ignore_tacticity", fmt.Sprintf(
		"this model sees only %d distinct structures in %d rows of %d polymers (one structure has %d rows), so %.0f%% of the validation rows resemble training data; "+
			"expect larger errors for new chemistry; for a stricter test, group by identical structures (group_by graph)",
		s.Graphs, s.Rows, s.Polymers, s.Largest, 100*s.Share())}, true
}
