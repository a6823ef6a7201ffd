package revision

import "strings"

// percent is the level of the intervals.
func (w *card) percent() float64 { return 100 * w.Intervals.WithDefaults().Level }

// byDifficulty writes how intervals did on easy and on hard hold-out rows.
func (w *card) byDifficulty() {
	most := 0
	for _, s := range w.Metrics.Holdout {
		if s.Intervals != nil {
			most = max(most, len(s.Intervals.ByDifficulty))
		}
	}
	if most == 0 {
		return
	}
	w.printf("Share within the %.4g %% interval, and its median width, by how large an error was to be expected: parts of equal numbers of rows, the easiest first.\n\n| property |", w.percent())
	for part := range most {
		w.printf(" %d |", part+1)
	}
	w.printf("\n|---|%s\n", strings.Repeat("---|", most))
	for _, t := range w.Targets {
		i := w.Metrics.Holdout[t.Name].Intervals
		if i == nil || len(i.ByDifficulty) == 0 {
			continue
		}
		w.printf("| %s |", words(t.Name))
		for part := range most {
			if part >= len(i.ByDifficulty) {
				w.printf(" |")
				continue
			}
			b := i.ByDifficulty[part]
			w.printf(" %.0f %%, %s |", 100*b.Coverage, figure(b.Width))
		}
		w.printf("\n")
	}
	w.printf("\n")
}
