package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"polyid-trainer/jobs"
)

// Space is what a search varies, ordered by path.
type Space []Parameter

// Parameter is one field of a training job and the values it may take.
type Parameter struct {
	Path      string // of the field, with dots: "model.atom_features"
	Kind      Kind
	Low, High float64           // inclusive; of every kind but Choice
	Choices   []json.RawMessage // of Choice
}

// Kind says how the values of a parameter are distributed.
type Kind string

// The kinds, as requests name them.
const (
	Uniform Kind = "uniform" // real numbers
	Log     Kind = "log"     // positive real numbers, uniform in the logarithm
	Int     Kind = "int"     // whole numbers
	Choice  Kind = "choice"  // one of a list
)

// kinds are all of them; "range" is another name of Uniform.
var kinds = map[string]Kind{"uniform": Uniform, "range": Uniform, "log": Log, "int": Int, "choice": Choice}

// Limits of a Space.
const (
	MaxParameters = 32
	MaxChoices    = 100
	maxWhole      = 1 << 53 // beyond it float64 skips whole numbers
)

// Point is one value for each parameter of a space: the number or, of Choice, the
// index of the value.
type Point []float64

// Values are the fields that a trial sets, by path.
type Values map[string]json.RawMessage

// ReadSpace reads a space and lists everything that is wrong with it, with
// pointers below at. Whether a training job has the fields is for Check to say.
func ReadSpace(raw json.RawMessage, at string) (Space, []jobs.Problem) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return nil, []jobs.Problem{{Pointer: at, Detail: `is not an object such as {"learning_rate": {"log": [1e-5, 1e-3]}}`}}
	}
	switch n := len(fields); {
	case n == 0:
		return nil, []jobs.Problem{{Pointer: at, Detail: "names no field to search over"}}
	case n > MaxParameters:
		return nil, []jobs.Problem{{Pointer: at, Detail: fmt.Sprintf("has %d fields, more than %d", n, MaxParameters)}}
	}
	var space Space
	var problems []jobs.Problem
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		p, wrong := readParameter(path, fields[path], at+"/"+escape(path))
		problems = append(problems, wrong...)
		if wrong == nil {
			space = append(space, p)
		}
	}
	return space, append(problems, nested(space, at)...)
}

// nested reports fields within fields: which of them wins would be chance.
func nested(space Space, at string) (problems []jobs.Problem) {
	for _, p := range space {
		for _, outer := range space {
			if strings.HasPrefix(p.Path, outer.Path+".") {
				problems = append(problems, jobs.Problem{Pointer: at + "/" + escape(p.Path), Detail: fmt.Sprintf("is a part of %s, which the space varies too: keep one of them", outer.Path)})
			}
		}
	}
	return problems
}

func readParameter(path string, raw json.RawMessage, at string) (Parameter, []jobs.Problem) {
	p := Parameter{Path: path}
	var problems []jobs.Problem
	add := func(pointer, format string, args ...any) {
		problems = append(problems, jobs.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	var stated map[string]json.RawMessage
	if err := json.Unmarshal(raw, &stated); err != nil || len(stated) != 1 {
		add(at, `is not one of {"log": [low, high]}, {"uniform": [low, high]}, {"int": [low, high]}, {"choice": [values]}`)
		return p, problems
	}
	for name, values := range stated {
		kind, ok := kinds[name]
		if !ok {
			add(at+"/"+escape(name), "%q is none of log, uniform, int, choice", name)
			return p, problems
		}
		p.Kind, at = kind, at+"/"+name
		if kind == Choice {
			readChoices(&p, values, at, add)
		} else {
			readBounds(&p, values, at, add)
		}
	}
	return p, problems
}

func readChoices(p *Parameter, raw json.RawMessage, at string, add func(string, string, ...any)) {
	if err := json.Unmarshal(raw, &p.Choices); err != nil || len(p.Choices) == 0 {
		add(at, "is not a list of at least one value")
		return
	}
	if n := len(p.Choices); n > MaxChoices {
		add(at, "has %d values, more than %d", n, MaxChoices)
		return
	}
	seen := map[string]int{}
	for i, c := range p.Choices {
		var b bytes.Buffer
		if err := json.Compact(&b, c); err != nil {
			add(fmt.Sprintf("%s/%d", at, i), "%v", err)
			continue
		}
		p.Choices[i] = b.Bytes()
		if first, twice := seen[b.String()]; twice {
			add(fmt.Sprintf("%s/%d", at, i), "%s is value %d already", b.String(), first)
		}
		seen[b.String()] = i
	}
}

func readBounds(p *Parameter, raw json.RawMessage, at string, add func(string, string, ...any)) {
	var bounds []float64
	if err := json.Unmarshal(raw, &bounds); err != nil || len(bounds) != 2 {
		add(at, "is not a list of two numbers, the lowest and the highest value")
		return
	}
	p.Low, p.High = bounds[0], bounds[1]
	if p.Low >= p.High {
		add(at, "%v is not below %v", p.Low, p.High)
	}
	for i, x := range bounds {
		switch {
		case p.Kind == Log && x <= 0:
			add(fmt.Sprintf("%s/%d", at, i), "%v has no logarithm: both ends must be above 0", x)
		case p.Kind == Int && (x != math.Trunc(x) || math.Abs(x) > maxWhole):
			add(fmt.Sprintf("%s/%d", at, i), "%v is not a whole number", x)
		}
	}
}

// MarshalJSON writes the space as requests state it.
func (s Space) MarshalJSON() ([]byte, error) {
	out := map[string]any{}
	for _, p := range s {
		var values any = []float64{p.Low, p.High}
		if p.Kind == Choice {
			values = p.Choices
		}
		out[p.Path] = map[Kind]any{p.Kind: values}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Space) UnmarshalJSON(raw []byte) error {
	space, problems := ReadSpace(raw, "")
	if len(problems) > 0 {
		return fmt.Errorf("space%s: %s", problems[0].Pointer, problems[0].Detail)
	}
	*s = space
	return nil
}

// Values are the fields that a point sets.
func (s Space) Values(at Point) Values {
	out := Values{}
	for i, p := range s {
		out[p.Path] = p.value(at[i])
	}
	return out
}

// value writes a coordinate as JSON.
func (p *Parameter) value(x float64) json.RawMessage {
	switch p.Kind {
	case Choice:
		return p.Choices[int(x)]
	case Int:
		return fmt.Appendf(nil, "%d", int64(x))
	}
	b, err := json.Marshal(x)
	if err != nil { // bounds are finite, and so is what lies between
		panic(err)
	}
	return b
}

// Extremes are the ends of the parameter's range, or all of its choices.
func (p *Parameter) Extremes() []json.RawMessage {
	if p.Kind == Choice {
		return p.Choices
	}
	return []json.RawMessage{p.value(p.Low), p.value(p.High)}
}

// escape writes a name as a token of a JSON pointer.
func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }
