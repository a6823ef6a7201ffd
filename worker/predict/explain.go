package predict

import (
	"fmt"
	"math"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// What a request may ask to be explained.
const (
	ExplainAtoms      = "atoms"
	ExplainNeighbours = "neighbours"
)

// Attribution says which part of a prediction each atom carries. Baseline and values
// sum to the prediction.
//
// It is by occlusion: each heavy atom in turn becomes a saturated carbon, in every
// unit of the chain, and the model is asked again. That works alike for every member
// of a stack, asks only about molecules that exist, and leaves saturated carbon
// itself without a part. The baseline is the prediction for the skeleton, with every
// atom replaced. Atoms act together, so the changes one by one do not add up to the
// difference from it: they are scaled to it where most of them go the same way, and
// where they cancel out, what is missing is shared in proportion to their size. The
// atoms of an aromatic system are replaced together, and share alike.
type Attribution struct {
	Baseline train.Measure   `json:"baseline"`
	Values   []train.Measure `json:"values"` // of each heavy atom and * of the input, in its order
	// Members is the same of each member of a stack.
	Members map[stack.Member]Attribution `json:"members,omitempty"`
}

// mostExplained bounds the atoms of an input to explain: each is a prediction.
const mostExplained = 200

// Warnings of explanations.
const warnExplain = "not_explained"

// explain adds what p asks to be explained to its result.
func (m *Model) explain(p polymer, r *Result, enter func() (leave func())) {
	if r.Error != nil {
		return
	}
	if slices.Contains(p.explain, ExplainAtoms) {
		atoms, err := m.attribute(p, r, enter)
		if err != nil {
			r.warn(warnExplain, "atoms: %v", err)
		}
		r.Atoms = &atoms
	}
	if slices.Contains(p.explain, ExplainNeighbours) {
		near := m.neighbours(p, r, enter)
		r.Neighbours = &near
	}
}

// attribute explains a result by the atoms of its input.
func (m *Model) attribute(p polymer, r *Result, enter func() (leave func())) (map[string]Attribution, error) {
	text := &p.structure.RepeatUnit
	switch p.structure.Notation() {
	case data.RepeatUnit:
	case data.Polymer:
		text = &p.structure.Polymer
	default:
		return nil, fmt.Errorf("an input of monomers is not explained; state a repeat unit or a chain")
	}
	o, err := structure.NewOcclusion(*text)
	if err != nil {
		return nil, err
	}
	if n := o.Atoms(); n > mostExplained {
		return nil, fmt.Errorf("it has %d heavy atoms, more than the %d that are explained", n, mostExplained)
	}
	variant := func(change func() (string, error)) polymer {
		q := p
		q.explain = nil
		text := &q.structure.RepeatUnit
		if q.structure.Notation() == data.Polymer {
			text = &q.structure.Polymer
		}
		if *text, err = change(); err != nil {
			q.err = structure.Describe(err)
		}
		return q
	}
	asked := []polymer{variant(o.Skeleton)}
	for i := range o.Parts() {
		asked = append(asked, variant(func() (string, error) { return o.Without(i) }))
	}
	var answers []Result
	for part := range slices.Chunk(asked, ensemble.Together) {
		answers = append(answers, m.predict(part, enter)...)
	}
	out := map[string]Attribution{}
	for name, whole := range r.Predictions {
		a := divide(float64(whole.Mean), o, answers, func(r Result) float64 { return float64(r.Predictions[name].Mean) })
		for member, mean := range whole.Members {
			if a.Members == nil {
				a.Members = map[stack.Member]Attribution{}
			}
			a.Members[member] = divide(float64(mean), o, answers, func(r Result) float64 { return float64(r.Predictions[name].Members[member]) })
		}
		out[name] = a
	}
	return out, nil
}

// divide divides a prediction among atoms; answers are for the skeleton, then for the
// structures without each part. One that cannot be predicted changes nothing.
func divide(mean float64, o *structure.Occlusion, answers []Result, value func(Result) float64) Attribution {
	parts := o.Parts()
	change := make([]float64, len(parts))
	sum, size := 0.0, 0.0
	for i := range parts {
		if r := answers[1+i]; r.Error == nil {
			change[i] = mean - value(r)
		}
		sum, size = sum+change[i], size+math.Abs(change[i])
	}
	baseline := mean - sum
	switch r := answers[0]; {
	case len(parts) == 0:
		baseline = mean
	case r.Error == nil:
		baseline = value(r)
	}
	out := Attribution{Baseline: train.Measure(baseline), Values: make([]train.Measure, o.Atoms())}
	whole := mean - baseline
	for i, part := range parts {
		v := whole / float64(len(parts))
		switch {
		case whole*sum > 0 && math.Abs(sum) > size/2: // most go one way: the same way, in proportion
			v = change[i] * whole / sum
		case size > 0:
			v = change[i] + (whole-sum)*math.Abs(change[i])/size
		}
		for _, atom := range part {
			out.Values[atom] = train.Measure(v / float64(len(part)))
		}
	}
	return out
}
