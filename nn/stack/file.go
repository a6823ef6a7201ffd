package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"polyid-trainer/featurize/descriptor"
	"polyid-trainer/nn/safetensors"
	"polyid-trainer/nn/sparse"
	"polyid-trainer/nn/trees"
)

// The files of a stack in a published revision. Loading them runs no code.
const (
	JSONFile    = "stack.json"
	TensorsFile = "stack.safetensors"
)

// schema is the version of the files. A reader refuses any other.
const schema = 1

// Bounds of what is read, against files that are made to hurt.
const (
	maxJSON   = 16 << 20
	maxValues = 256 << 20 // floats: 1 GiB
)

// document is stack.json: all that is not an array.
type document struct {
	Schema      int              `json:"schema"`
	Folds       int              `json:"folds"`
	Descriptors []string         `json:"descriptors"`
	Space       Space            `json:"space"`
	Targets     []targetDocument `json:"targets"`
	Dense       []denseDocument  `json:"dense,omitempty"` // by fold
}

type targetDocument struct {
	Name       string              `json:"name"`
	Members    []Member            `json:"members"`
	Weights    []float64           `json:"weights"`
	Difficulty difficulty          `json:"difficulty"`
	Boost      []float64           `json:"boost_base,omitempty"`  // by fold
	Forest     []float64           `json:"forest_base,omitempty"` // by fold
	Intercept  []float64           `json:"linear_intercept,omitempty"`
	Neighbours *neighboursDocument `json:"neighbours,omitempty"`
}

type neighboursDocument struct {
	K     int     `json:"k"`
	Power float64 `json:"power"`
}

type denseDocument struct {
	Mean []float64 `json:"mean"` // of the targets
	Std  []float64 `json:"std"`
}

// Encode gives the contents of JSONFile and writes those of TensorsFile to w.
// Equal stacks give equal bytes.
func (s *Stack) Encode(w io.Writer) (jsonFile []byte, err error) {
	d := document{Schema: schema, Folds: s.Folds, Descriptors: descriptorNames(), Space: s.Space}
	var a arrays
	for f, n := range s.dense {
		d.Dense = append(d.Dense, denseDocument{n.mean, n.std})
		a.dense(fmt.Sprintf("dense.%d.", f), n)
	}
	for k := range s.Targets {
		t := &s.Targets[k]
		doc := targetDocument{Name: t.Name, Members: t.Members, Weights: t.Weights, Difficulty: t.difficulty}
		for f, m := range t.trees {
			doc.Boost = append(doc.Boost, a.trees(fmt.Sprintf("%d.boost.%d.", k, f), m.boost))
			doc.Forest = append(doc.Forest, a.trees(fmt.Sprintf("%d.forest.%d.", k, f), m.forest))
		}
		for f, m := range t.linear {
			name := fmt.Sprintf("%d.linear.%d.", k, f)
			doc.Intercept = append(doc.Intercept, m.intercept)
			a.scaling(name, &m.scaling)
			a.floats(name+"slope", m.slope)
		}
		if n := t.neighbours; n != nil {
			doc.Neighbours = &neighboursDocument{n.k, n.power}
			a.neighbours(fmt.Sprintf("%d.neighbours.", k), n)
		}
		d.Targets = append(d.Targets, doc)
	}
	if jsonFile, err = json.Marshal(d); err != nil {
		return nil, fmt.Errorf("stack: write: %w", err)
	}
	if err := safetensors.Write(w, map[string]string{"format": "polyid-trainer stack"}, a.list); err != nil {
		return nil, fmt.Errorf("stack: write: %w", err)
	}
	return jsonFile, nil
}

func descriptorNames() (names []string) {
	for _, d := range descriptor.All() {
		names = append(names, d.Name)
	}
	return names
}

// arrays collects tensors. Whole numbers are stored as floats, which hold those
// below 2²⁴ exactly.
type arrays struct{ list []safetensors.Tensor }

func (a *arrays) floats(name string, x []float32) {
	a.list = append(a.list, safetensors.Tensor{Name: name, Shape: []int{len(x)}, Data: x})
}

func numbers[T int32 | uint8 | int](a *arrays, name string, x []T) {
	f := make([]float32, len(x))
	for i, v := range x {
		f[i] = float32(v)
	}
	a.floats(name, f)
}

func (a *arrays) scaling(name string, z *scaling) {
	a.floats(name+"feature_mean", z.Mean)
	a.floats(name+"feature_std", z.Std)
}

func (a *arrays) dense(name string, d *dense) {
	a.scaling(name, &d.scaling)
	numbers(a, name+"columns", d.columns)
	for i, l := range d.layers {
		a.list = append(a.list,
			safetensors.Tensor{Name: fmt.Sprintf("%s%d.weight", name, i), Shape: []int{l.in, l.out}, Data: l.weight},
			safetensors.Tensor{Name: fmt.Sprintf("%s%d.bias", name, i), Shape: []int{l.out}, Data: l.bias})
	}
}

func (a *arrays) trees(name string, m *trees.Model) (base float64) {
	x := m.Arrays()
	numbers(a, name+"start", x.Start)
	numbers(a, name+"column", x.Column)
	a.floats(name+"cut", x.Cut)
	numbers(a, name+"missing_left", x.MissingLeft)
	numbers(a, name+"left", x.Left)
	numbers(a, name+"right", x.Right)
	a.floats(name+"value", x.Value)
	return x.Base
}

func (a *arrays) neighbours(name string, n *neighbours) {
	numbers(a, name+"start", n.counts.Start)
	numbers(a, name+"column", n.counts.Index)
	a.floats(name+"count", n.counts.Value)
	narrow := func(x []float64) (out []float32) {
		for _, v := range x {
			out = append(out, float32(v))
		}
		return out
	}
	a.floats(name+"value", narrow(n.value))
	a.floats(name+"weight", narrow(n.weight))
	numbers(a, name+"fold", n.fold)
}

// Decode reads what Encode wrote, and refuses what a prediction could not be made
// with, saying why.
func Decode(jsonFile []byte, tensors io.Reader) (*Stack, error) {
	s, err := decode(jsonFile, tensors)
	if err != nil {
		return nil, fmt.Errorf("stack: read: %w", err)
	}
	return s, nil
}

func decode(jsonFile []byte, tensors io.Reader) (*Stack, error) {
	if len(jsonFile) > maxJSON {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", JSONFile, len(jsonFile), maxJSON)
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(jsonFile))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("%s: %w", JSONFile, err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", JSONFile, err)
	}
	_, list, err := safetensors.Read(tensors, maxValues)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TensorsFile, err)
	}
	r := &reader{tensors: list, space: &d.Space}
	s := &Stack{Space: d.Space, Folds: d.Folds}
	for f, doc := range d.Dense {
		s.dense = append(s.dense, r.dense(fmt.Sprintf("dense.%d.", f), doc))
	}
	for k, doc := range d.Targets {
		s.Targets = append(s.Targets, r.target(k, doc, d.Folds))
	}
	if r.err != nil {
		return nil, fmt.Errorf("%s: %w", TensorsFile, r.err)
	}
	return s, nil
}

// check refuses a document whose parts do not fit each other.
func (d *document) check() error {
	switch {
	case d.Schema != schema:
		return fmt.Errorf("its schema is version %d; this program reads %d", d.Schema, schema)
	case d.Folds < 2 || d.Folds > 1000:
		return fmt.Errorf("%d folds", d.Folds)
	case !slices.Equal(d.Descriptors, descriptorNames()):
		return errors.New("its descriptors are not those of this program")
	case !slices.IsSorted(d.Space.Hashes) || len(d.Space.Hashes) > maxHashes:
		return errors.New("its environments are not ascending, or too many")
	case len(d.Space.Medians) != len(d.Space.Conditions):
		return fmt.Errorf("%d medians for %d conditions", len(d.Space.Medians), len(d.Space.Conditions))
	case len(d.Dense) != 0 && len(d.Dense) != d.Folds:
		return fmt.Errorf("%d dense networks for %d folds", len(d.Dense), d.Folds)
	}
	for _, n := range d.Dense {
		if len(n.Mean) != len(d.Targets) || len(n.Std) != len(d.Targets) {
			return errors.New("a dense network is not of its targets")
		}
	}
	for _, t := range d.Targets {
		if err := t.check(d); err != nil {
			return fmt.Errorf("target %.80q: %w", t.Name, err)
		}
	}
	return nil
}

func (t *targetDocument) check(d *document) error {
	if err := (Config{Members: t.Members}).Validate(); err != nil {
		return err
	}
	if len(t.Members) == 0 || len(t.Weights) != len(t.Members) {
		return fmt.Errorf("%d weights for %d members", len(t.Weights), len(t.Members))
	}
	folds := func(m Member) int {
		if slices.Contains(t.Members, m) {
			return d.Folds
		}
		return 0
	}
	switch {
	case len(t.Boost) != folds(Trees) || len(t.Forest) != folds(Trees):
		return fmt.Errorf("%d and %d trees for %d folds", len(t.Boost), len(t.Forest), folds(Trees))
	case len(t.Intercept) != folds(Linear):
		return fmt.Errorf("%d linear models for %d folds", len(t.Intercept), folds(Linear))
	case (t.Neighbours != nil) != (folds(Neighbours) > 0):
		return errors.New("its neighbours are missing, or no member")
	case folds(Dense) > 0 && len(d.Dense) == 0:
		return errors.New("its dense networks are missing")
	}
	if !(t.Difficulty.Floor > 0) {
		return fmt.Errorf("its least difficulty is %v", t.Difficulty.Floor)
	}
	if n := t.Neighbours; n != nil && (n.K < 1 || n.K > nearest || !(n.Power >= 0) || n.Power > 64) {
		return fmt.Errorf("it has %d neighbours to the power of %v", n.K, n.Power)
	}
	return nil
}

// reader takes members out of tensors; err is the first thing that was wrong.
type reader struct {
	tensors map[string]safetensors.Tensor
	space   *Space
	err     error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// floats gives a tensor of n values, or of any number where n is -1.
func (r *reader) floats(name string, n int) []float32 {
	t, ok := r.tensors[name]
	if !ok {
		r.fail("it lacks tensor %s", name)
		return make([]float32, max(n, 0))
	}
	if n >= 0 && len(t.Data) != n {
		r.fail("tensor %s has %d values, not %d", name, len(t.Data), n)
		return make([]float32, n)
	}
	for _, v := range t.Data {
		if math.IsNaN(float64(v)) {
			r.fail("tensor %s holds no number", name)
			break
		}
	}
	return t.Data
}

// whole gives a tensor of whole numbers from 0 to below limit.
func whole[T int32 | uint8 | int](r *reader, name string, n, limit int) []T {
	values := r.floats(name, n)
	out := make([]T, len(values))
	for i, v := range values {
		if v < 0 || v >= float32(limit) || v != float32(math.Trunc(float64(v))) {
			r.fail("tensor %s holds %v, which is not a whole number below %d", name, v, limit)
			return out
		}
		out[i] = T(v)
	}
	return out
}

// most bounds whole numbers that floats hold exactly.
const most = 1 << 24

func (r *reader) scaling(name string) scaling {
	n := r.space.first()
	return scaling{Dense: n, Mean: r.floats(name+"feature_mean", n), Std: r.floats(name+"feature_std", n)}
}

func (r *reader) dense(name string, doc denseDocument) *dense {
	d := &dense{scaling: r.scaling(name), mean: doc.Mean, std: doc.Std}
	d.columns = whole[int32](r, name+"columns", -1, r.space.Columns())
	sizes := []int{len(d.columns), denseHidden1, denseHidden2, len(doc.Mean)}
	for i := range d.layers {
		in, out := sizes[i], sizes[i+1]
		d.layers[i] = layer{
			in: in, out: out,
			weight: r.floats(fmt.Sprintf("%s%d.weight", name, i), in*out),
			bias:   r.floats(fmt.Sprintf("%s%d.bias", name, i), out),
		}
	}
	return d
}

func (r *reader) target(k int, doc targetDocument, folds int) Target {
	t := Target{Name: doc.Name, Members: doc.Members, Weights: doc.Weights, difficulty: doc.Difficulty}
	for f := range doc.Boost {
		t.trees = append(t.trees, &forestAndBoost{
			boost:  r.trees(fmt.Sprintf("%d.boost.%d.", k, f), doc.Boost[f]),
			forest: r.trees(fmt.Sprintf("%d.forest.%d.", k, f), doc.Forest[f]),
		})
	}
	for f, intercept := range doc.Intercept {
		name := fmt.Sprintf("%d.linear.%d.", k, f)
		t.linear = append(t.linear, &linear{r.scaling(name), intercept, r.floats(name+"slope", r.space.Columns())})
	}
	if n := doc.Neighbours; n != nil {
		t.neighbours = r.neighbours(fmt.Sprintf("%d.neighbours.", k), n, folds)
	}
	return t
}

func (r *reader) trees(name string, base float64) *trees.Model {
	m, err := trees.New(trees.Arrays{
		Base:        base,
		Start:       whole[int32](r, name+"start", -1, most),
		Column:      whole[int32](r, name+"column", -1, r.space.Columns()),
		Cut:         r.floats(name+"cut", -1),
		MissingLeft: whole[uint8](r, name+"missing_left", -1, 2),
		Left:        whole[int32](r, name+"left", -1, most),
		Right:       whole[int32](r, name+"right", -1, most),
		Value:       r.floats(name+"value", -1),
	}, r.space.Columns())
	if err != nil {
		r.fail("%s: %w", name, err)
	}
	return m
}

func (r *reader) neighbours(name string, doc *neighboursDocument, folds int) *neighbours {
	n := &neighbours{k: doc.K, power: doc.Power, counts: &sparse.Matrix{Cols: len(r.space.Hashes)}}
	start := whole[int](r, name+"start", -1, most)
	index, count := whole[int32](r, name+"column", -1, len(r.space.Hashes)), r.floats(name+"count", -1)
	value := r.floats(name+"value", -1)
	weight, fold := r.floats(name+"weight", len(value)), whole[int32](r, name+"fold", len(value), folds)
	if len(index) != len(count) || len(start) != len(value)+1 {
		r.fail("%s: its arrays differ in length", name)
	}
	for i := 0; r.err == nil && i < len(value); i++ {
		from, to := start[i], start[i+1]
		if from > to || to > len(index) || !strictlyAscending(index[from:to]) {
			r.fail("%s: row %d is out of order", name, i)
			break
		}
		n.counts.Append(index[from:to], count[from:to])
		n.total = append(n.total, sum(count[from:to]))
		n.value, n.weight = append(n.value, float64(value[i])), append(n.weight, float64(weight[i]))
		n.fold = append(n.fold, fold[i])
	}
	n.setMeans(folds)
	return n
}

func strictlyAscending(x []int32) bool {
	for i := 1; i < len(x); i++ {
		if x[i] <= x[i-1] {
			return false
		}
	}
	return true
}
