package publish

import (
	"strings"
	"testing"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/train"
)

// scored is a revision with errors of its properties.
func scored(hash, holdout string, errors map[string]float64) *published {
	p := &published{}
	p.config.Data.Hash, p.config.Data.GroupBy = hash, "polymer"
	p.metrics = revision.Metrics{OutOfFold: revision.Scores{}, HoldoutID: holdout}
	if holdout != "" {
		p.metrics.Holdout = revision.Scores{}
	}
	for name, mae := range errors {
		p.config.Targets = append(p.config.Targets, checkpoint.Target{Name: name})
		p.metrics.OutOfFold[name] = revision.Score{MAE: train.Measure(mae)}
		if holdout != "" {
			p.metrics.Holdout[name] = revision.Score{MAE: train.Measure(10 - mae)} // the other way round
		}
	}
	return p
}

// A revision takes another's place unless it is worse on what both were scored
// on, narrower, or not comparable at all.
func TestNotWorse(t *testing.T) {
	t.Parallel()
	tg := func(mae float64) map[string]float64 { return map[string]float64{"Tg": mae} }
	both := map[string]float64{"Tg": 1, "Tm": 1}
	grouped := scored("a", "", tg(1))
	grouped.config.Data.GroupBy = "graph"
	for name, c := range map[string]struct {
		mine, there *published
		ok          bool
		says        string
	}{
		"better":               {scored("a", "", tg(1)), scored("a", "", tg(2)), true, "0.5 times"},
		"equal":                {scored("a", "", tg(2)), scored("a", "", tg(2)), true, ""},
		"worse":                {scored("a", "", tg(3)), scored("a", "", tg(2)), false, "out-of-fold error of the new revision is 1.5 times"},
		"hold-out first":       {scored("a", "h", tg(1)), scored("a", "h", tg(2)), false, "hold-out"},
		"hold-out, other data": {scored("a", "h", tg(2)), scored("b", "h", tg(1)), true, ""},
		"other hold-out":       {scored("a", "h", tg(1)), scored("a", "i", tg(2)), true, ""},
		"other data":           {scored("a", "", tg(1)), scored("b", "", tg(2)), false, "cannot be compared"},
		"other grouping":       {grouped, scored("a", "", tg(2)), false, "group"},
		"narrower":             {scored("a", "", tg(0.1)), scored("a", "", both), false, "does not predict Tm"},
		"wider":                {scored("a", "", both), scored("a", "", tg(1)), true, ""},
		"imported, no scores":  {scored("", "", tg(1)), scored("", "", tg(1)), false, "cannot be compared"},
	} {
		ok, reason := revision.NotWorse(c.mine.config, c.mine.metrics, c.there.config, c.there.metrics)
		if ok != c.ok || !strings.Contains(reason, c.says) {
			t.Errorf("%s: %v, %q; want %v, %q", name, ok, reason, c.ok, c.says)
		}
	}
}
