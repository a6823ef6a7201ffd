package revision

import "strings"

// measurement says which columns beside the properties the training looked at.
func (w *card) measurement() {
	c := w.Columns
	if len(c.Conditions) > 0 {
		w.fact("Conditions", "%s: inputs of the stack; the training rows' median stands for what an input does not state", words(strings.Join(c.Conditions, ", ")))
	}
	if c.Weights != "" {
		w.fact("Weights", "column %s, in every loss and fit; the scores count each row once", words(c.Weights))
	}
	if c.Censored {
		w.fact("Bounds", "cells such as `>300` were learned from as bounds; they are in no score and in no interval")
	}
}
