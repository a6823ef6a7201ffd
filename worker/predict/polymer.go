package predict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// shortMolecule is the number of heavy atoms below which a chain is probably
// none: polyethylene of PolyID's 18 monomers has 36.
const shortMolecule = 20

// predict answers for some polymers; enter waits for a slot, in which it computes.
// Their chains go through the ensemble together.
func (m *Model) predict(ps []polymer, enter func() (leave func())) []Result {
	results := make([]Result, len(ps))
	grown := make([][]structure.Chain, len(ps)) // nil where that failed
	var all []chain
	for i, p := range ps {
		if p.err != nil {
			results[i] = failed(p.err)
			continue
		}
		chains, err := m.grow(p, enter)
		if err != nil {
			results[i] = failed(structure.Describe(err))
			continue
		}
		grown[i] = chains
		for _, c := range chains {
			all = append(all, chain{c, p.conditions})
		}
	}
	answers := m.chains(all, enter)
	for i, chains := range grown {
		if chains != nil {
			results[i] = m.result(ps[i], chains, answers[:len(chains)])
			answers = answers[len(chains):]
			m.explain(ps[i], &results[i], enter)
		}
	}
	return results
}

// result is the answer for a polymer by those for its chains.
func (m *Model) result(p polymer, chains []structure.Chain, answers []*answer) Result {
	for _, a := range answers {
		if a.err != nil {
			e := structure.Describe(a.err)
			if p.structure.Notation() != data.Polymer {
				e = structure.Grown(e)
			}
			return failed(e)
		}
	}
	r := Result{keys: p.keys, SMILES: chains[0].SMILES, Predictions: map[string]Property{}, Warnings: m.warnings(p, chains[0], answers[0])}
	for _, a := range answers {
		r.perChain = append(r.perChain, a.perFold())
	}
	for t, target := range m.Config.Targets {
		r.Predictions[target.Name] = m.property(t, target, r.perChain, answers)
	}
	r.Domain = m.judge(answers)
	m.judgeEach(&r, answers)
	return r
}

// perFold is what each fold predicts, [targets][folds]: of the stack, where there
// is one.
func (a *answer) perFold() [][]float64 {
	out := make([][]float64, len(a.Values))
	for t := range out {
		if out[t] = a.Values[t].PerFold; a.blended != nil {
			out[t] = a.blended[t].PerFold
		}
	}
	return out
}

// grow makes the chains of a polymer. Growing takes a slot.
func (m *Model) grow(p polymer, enter func() (leave func())) ([]structure.Chain, error) {
	if p.structure.Notation() != data.Polymer {
		defer enter()()
	}
	return p.grower.Grow(&p.structure)
}

// failed is the result of an input that cannot be predicted.
func failed(e *structure.Error) Result {
	r := &InputError{Code: e.Code, Detail: e.Detail, Position: e.Pos}
	switch e.Code {
	case "syntax", "valence", "kekulize", "complexity":
		r.Code = string(data.BadSMILES)
	}
	if e.Monomer >= 0 {
		r.Monomer = &e.Monomer
	}
	return Result{Error: r}
}

// property averages target t over chains, with these answers, and folds.
func (m *Model) property(t int, target checkpoint.Target, perChain [][][]float64, answers []*answer) Property {
	folds := make([]float64, m.ensemble.Folds())
	var all []float64
	for _, chain := range perChain {
		for k, y := range chain[t] {
			folds[k] += y / float64(len(perChain))
			all = append(all, y)
		}
	}
	mean, std := meanStd(all)
	p := Property{Mean: train.Measure(mean), Std: train.Measure(std), Units: target.Units, Quality: quality(m.Metrics, target.Name), level: m.percent()}
	difficulty := 1.0
	if answers[0].blended != nil {
		p.Members, difficulty = members(t, answers)
	}
	for _, y := range folds {
		p.PerFold = append(p.PerFold, train.Measure(y))
	}
	if m.calibration != nil {
		if i := m.calibration.IntervalAt(t, folds, difficulty); i != nil {
			p.Interval = &[2]float64{i.Low, i.High}
		}
	}
	if strings.HasPrefix(target.Name, "log10_") {
		p.Linear = &Linear{Median: train.Measure(math.Pow(10, mean)), Units: strings.TrimPrefix(target.Units, "log10 "), level: p.level}
		if i := p.Interval; i != nil {
			p.Linear.Interval = &[2]float64{math.Pow(10, i[0]), math.Pow(10, i[1])}
		}
	}
	return p
}

// members are what the members of the stack predict of target t, and how large an
// error is to be expected, both averaged over the chains.
func members(t int, answers []*answer) (of map[stack.Member]train.Measure, difficulty float64) {
	of = map[stack.Member]train.Measure{}
	for _, a := range answers {
		for name, y := range a.blended[t].Members {
			of[name] += train.Measure(y / float64(len(answers)))
		}
		difficulty += a.blended[t].Difficulty / float64(len(answers))
	}
	return of, difficulty
}

// The qualities of a property's predictions.
const (
	qualityOK     = "ok"
	qualityUnfit  = "no_better_than_baseline"
	qualityUnsure = "unknown" // imported: nothing was measured
)

// quality says whether a model does better at a property than always answering the
// training rows' median, on the hold-out or else out of fold.
func quality(m revision.Metrics, target string) string {
	s, ok := m.Holdout[target]
	if !ok || s.Rows == 0 {
		s, ok = m.OutOfFold[target]
	}
	switch {
	case !ok || s.Rows == 0 || math.IsNaN(float64(s.MAE)) || math.IsNaN(float64(s.Baseline)):
		return qualityUnsure
	case s.MAE >= s.Baseline:
		return qualityUnfit
	}
	return qualityOK
}

// judge says how far the chains lie outside the training set: all of them, but
// atoms are those of the first.
func (m *Model) judge(answers []*answer) *Domain {
	if m.domain == nil {
		return nil
	}
	d := &Domain{Environments: []featurize.Unseen{}}
	seen := map[uint32]bool{}
	for i, a := range answers {
		d.UnknownTokens = max(d.UnknownTokens, a.Unknown)
		for _, u := range a.unseen {
			if seen[u.Hash] {
				continue
			}
			seen[u.Hash] = true
			if i > 0 {
				u.Atoms = []int32{}
			}
			d.Environments = append(d.Environments, u)
		}
	}
	slices.SortFunc(d.Environments, func(a, b featurize.Unseen) int { return cmp.Compare(a.Hash, b.Hash) })
	d.Unseen = len(d.Environments)
	d.InDomain = d.Unseen == 0 && d.UnknownTokens == 0
	return d
}

// judgeEach says of each property how far the chains lie outside the polymers of
// which it was measured.
func (m *Model) judgeEach(r *Result, answers []*answer) {
	if r.Domain == nil {
		return
	}
	for t, target := range m.Config.Targets {
		unseen := map[uint32]bool{}
		for _, a := range answers {
			for _, h := range a.unseenBy[t] {
				unseen[h] = true
			}
		}
		n := len(unseen)
		in := n == 0 && r.Domain.UnknownTokens == 0
		p := r.Predictions[target.Name]
		p.InDomain, p.Unseen = &in, &n
		r.Predictions[target.Name] = p
	}
}

// Codes of warnings.
const (
	warnPM         = "pm_ignored"
	warnRepeatUnit = "looks_like_repeat_unit"
	warnDP         = "dp_differs"
	warnNotation   = "notation_differs"
	warnShortened  = "chain_shortened"
	warnExtension  = "extension_not_read"
	warnInterval   = "no_interval"
	warnCondition  = "condition_missing"
	warnIgnored    = "conditions_ignored"
	warnDomain     = "no_domain_of_validity"
)

// warnings are what the asker should know about a polymer's prediction.
func (m *Model) warnings(p polymer, chain structure.Chain, first *answer) []jobs.Warning {
	var out []jobs.Warning
	warn := func(code, format string, args ...any) {
		out = append(out, jobs.Warning{Code: code, Detail: fmt.Sprintf(format, args...)})
	}
	s, trained := &p.structure, m.Config.Chains
	if !math.IsNaN(s.PM) && !m.Config.Features.SeesTacticity() {
		warn(warnPM, "the model's features (%s) cannot see tacticity: any pm gives the same prediction", m.Config.Features.WithDefaults().Atom)
	}
	notation := s.Notation()
	for _, text := range []string{s.Polymer, s.RepeatUnit} {
		if note, _ := structure.Extension(text); note != "" {
			warn(warnExtension, "%s", note)
		}
	}
	if notation == data.Polymer {
		switch {
		case strings.Contains(s.Polymer, "*"):
			warn(warnRepeatUnit, "smiles_polymer has a *, which no finished chain has: state a repeat unit as smiles_repeat_unit")
		case first.heavyAtoms < shortMolecule:
			warn(warnRepeatUnit, "smiles_polymer has %d heavy atoms, few for a chain: state a repeat unit as smiles_repeat_unit, with two *", first.heavyAtoms)
		}
	}
	switch {
	case notation == data.RepeatUnit && s.DP != 0 && trained.Periodic:
		warn(warnDP, "a chain of DP %d with ends, where the model was trained on repeat units closed to rings", s.DP)
	case notation != data.Polymer && s.DP != 0 && trained.DP != 0 && s.DP != trained.DP:
		warn(warnDP, "a DP of %d, where the model was trained with %d", s.DP, trained.DP)
	case chain.Asked > chain.DP:
		warn(warnShortened, "a chain of DP %d, because %d would pass %d heavy atoms; the model's training shortened such chains alike", chain.DP, chain.Asked, p.grower.MaxHeavyAtoms)
	case chain.Asked != 0:
		warn(warnShortened, "a chain of DP %d with ends, because no ring of this repeat unit has its aromaticity in a chain; the model's training did alike", chain.DP)
	}
	if len(trained.Notations) > 0 && !slices.Contains(trained.Notations, notation) {
		warn(warnNotation, "stated as %s, where the model was trained on %s: chain length and end groups may differ", notation, list(trained.Notations))
	}
	m.warnConditions(p, warn)
	if m.calibration == nil {
		warn(warnInterval, "no interval: %s", m.Config.Absent["calibration.json"])
	}
	if m.domain == nil {
		warn(warnDomain, "no domain of validity: %s", m.Config.Absent["domain_of_validity.json"])
	}
	return out
}

func list(ns []data.Notation) string {
	s := make([]string, len(ns))
	for i, n := range ns {
		s[i] = string(n)
	}
	return strings.Join(s, " and ")
}

// meanStd is the mean and the standard deviation with divisor n−1; NaN for a
// single value.
func meanStd(x []float64) (mean, std float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		std += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(std / float64(len(x)-1))
}
