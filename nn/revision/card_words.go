package revision

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/nn/train"
)

// How a card puts figures into words.

// figure gives the digits that an error of some hundred rows has.
func figure(x train.Measure) string {
	if math.IsNaN(float64(x)) {
		return "–"
	}
	if math.Abs(float64(x)) >= 1000 {
		return fmt.Sprintf("%.0f", float64(x))
	}
	return fmt.Sprintf("%.3g", float64(x))
}

// span rounds a duration for reading.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

func parenthesis(units string) string {
	if units == "" {
		return ""
	}
	return "(" + units + ")"
}

func some(n int, format string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func notations(ns []data.Notation) string {
	words := make([]string, 0, len(ns))
	for _, n := range ns {
		words = append(words, "`"+string(n)+"`")
	}
	return cmp.Or(list(words), "not known")
}

func degree(c Chains) string {
	switch {
	case c.Periodic:
		return "repeat units closed into rings, in which all units are equal"
	case c.DP == 0:
		return "degree of polymerization as the rows have it"
	}
	if c.MaxHeavyAtoms > 0 {
		return fmt.Sprintf("degree of polymerization %d, or as many as %d heavy atoms allow", c.DP, c.MaxHeavyAtoms)
	}
	return fmt.Sprintf("degree of polymerization %d", c.DP)
}

func grouping(g data.Grouping) string {
	switch g {
	case data.ByPolymer:
		return "rows of one polymer"
	case data.ByGraph:
		return "rows of identical structures"
	case data.ByCluster:
		return "rows of alike structures (Butina clusters of Morgan counts, Tanimoto similarity of 0.6)"
	}
	if name := g.Column(); name != "" {
		return "rows of one polymer, and rows with equal cells of the column " + name
	}
	return string(g)
}

// options are the settings of a training that are usually off.
func options(t *train.Config) string {
	text := ""
	if t.AverageWeights != nil {
		text += fmt.Sprintf("; the weights are an exponential moving average with a decay of %g a step", *t.AverageWeights)
	}
	if t.ClipNorm != nil {
		text += fmt.Sprintf("; gradients of a norm of %g at most", *t.ClipNorm)
	}
	if t.ValidateEvery > 1 {
		text += fmt.Sprintf("; validated every %d epochs", t.ValidateEvery)
	}
	return text
}
