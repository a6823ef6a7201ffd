package revision

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// NotWorse reports whether a revision may take the place of another: it predicts
// every property that the other does, and is not worse on what both were scored
// on. That is the same hold-out set, or else the out-of-fold scores of the same
// data, divided alike. Where nothing can be compared it may not.
func NotWorse(config Config, metrics Metrics, theirConfig Config, theirMetrics Metrics) (ok bool, reason string) {
	if lost := Lacks(config, theirConfig); len(lost) > 0 {
		return false, "the new revision does not predict " + strings.Join(lost, ", ")
	}
	mine, theirs, of, why := Comparable(config, metrics, theirConfig, theirMetrics)
	if why != "" {
		return false, why
	}
	ratio, comparable := Relative(mine, theirs)
	if !comparable {
		return false, "the two have no measured property in common"
	}
	return ratio <= 1, fmt.Sprintf("the %s error of the new revision is %.3g times that of the published one", of, ratio)
}

// Comparable gives the scores of two revisions that may be compared, and what
// they are of: "hold-out" or "out-of-fold". Where there are none, why says so.
func Comparable(config Config, metrics Metrics, theirConfig Config, theirMetrics Metrics) (mine, theirs Scores, of, why string) {
	switch {
	case metrics.HoldoutID != "" && metrics.HoldoutID == theirMetrics.HoldoutID:
		return metrics.Holdout, theirMetrics.Holdout, "hold-out", ""
	case config.Data.Hash == "" || config.Data.Hash != theirConfig.Data.Hash:
		why = "the two were trained on different data and have no hold-out set in common, so they cannot be compared"
	case config.Data.OrderBy != theirConfig.Data.OrderBy:
		why = "the two divide their rows by time differently, so their out-of-fold errors cannot be compared"
	case config.Data.GroupBy != theirConfig.Data.GroupBy:
		why = fmt.Sprintf("the two group their rows differently (%s and %s), so their out-of-fold errors cannot be compared", config.Data.GroupBy, theirConfig.Data.GroupBy)
	default:
		return metrics.OutOfFold, theirMetrics.OutOfFold, "out-of-fold", ""
	}
	return nil, nil, "", why
}

// Lacks lists the properties that another revision predicts and this one does
// not.
func Lacks(config, theirs Config) (lost []string) {
	have := map[string]bool{}
	for _, t := range config.Targets {
		have[t.Name] = true
	}
	for _, t := range theirs.Targets {
		if !have[t.Name] {
			lost = append(lost, t.Name)
		}
	}
	return lost
}

// Relative is the mean, over the targets that both scores have measured, of mine's
// mean absolute error relative to theirs; ok is false where there is no such
// target. The scores must be of the same rows.
func Relative(mine, theirs Scores) (ratio float64, ok bool) {
	total, n := 0.0, 0
	for _, name := range slices.SortedFunc(maps.Keys(mine), cmp.Compare[string]) { // in one order, so that sums agree to the bit
		x, y := float64(mine[name].MAE), float64(theirs[name].MAE)
		if _, both := theirs[name]; !both || math.IsNaN(x) || math.IsNaN(y) {
			continue
		}
		if x != y { // an error of zero is better than any other, and equal to itself
			total += min(x/y, 1e6)
		} else {
			total++
		}
		n++
	}
	if n == 0 {
		return 0, false
	}
	return total / float64(n), true
}
