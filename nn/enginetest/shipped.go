package enginetest

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// Shipped is data/stereopolymer_input_nopush.csv as PolyID's tokenizers,
// fitted on all its rows, turn it into graphs.
type Shipped struct {
	Distinct []*Polymer  // each graph once, without targets
	Row      []int       // of Distinct, for each row of the CSV
	Target   [][]float64 // of each row: Tg and Tm in °C; NaN = unmeasured
}

// ReadShipped reads the polymers from this package's own test data, so that no
// chemistry is involved.
func ReadShipped(t testing.TB) *Shipped {
	t.Helper()
	f, err := testdata.Open("testdata/polymers.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Graphs []*Polymer
		Row    []int
		Target [][]*float64
	}
	if err := json.NewDecoder(z).Decode(&file); err != nil {
		t.Fatal(err)
	}
	s := &Shipped{Distinct: file.Graphs, Row: file.Row}
	for _, ys := range file.Target {
		row := make([]float64, len(ys))
		for i, y := range ys {
			row[i] = math.NaN()
			if y != nil {
				row[i] = *y
			}
		}
		s.Target = append(s.Target, row)
	}
	return s
}

// Polymer is row i with its targets less center, over scale, in float32 as
// PolyID scales them.
func (s *Shipped) Polymer(i int, center, scale []float64) *Polymer {
	p := *s.Distinct[s.Row[i]]
	for k, y := range s.Target[i] {
		p.Target = append(p.Target, float64(float32((y-center[k])/scale[k])))
	}
	return &p
}

// Graph is p with its tokens as feature ids.
func (p *Polymer) Graph() *featurize.Graph {
	return &featurize.Graph{Atom: p.Atom, Bond: p.Bond, Src: p.Src, Dst: p.Dst}
}

// Example binds p to a plan of its Graph.
func (p *Polymer) Example(of *plan.Plan, row int) nn.Example {
	ex := nn.Example{Plan: of, Atom: of.AtomID, Bond: of.BondID, Row: row, Weight: p.Weight}
	for _, y := range p.Target {
		ex.Target = append(ex.Target, float32(y))
	}
	return ex
}

// ShippedSizes is what PolyID's tokenizers make of the shipped rows.
var ShippedSizes = nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 2}

// Scaling of Tg and Tm: median and interquartile range over the shipped rows.
var (
	ShippedCenter = []float64{36, 150}
	ShippedScale  = []float64{40, 63}
)

// DefaultAdam is a training job's default.
var DefaultAdam = nn.Adam{LearningRate: 1e-4, Decay: 1e-5, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}

// ShippedExamples is every row with a target, in the CSV's order, on the plans
// of c.
func ShippedExamples(t testing.TB, c nn.Config) []nn.Example {
	t.Helper()
	s, plans := ReadShipped(t), plan.NewCache(c.NumMessages)
	var examples []nn.Example
	for row := range s.Row {
		p := s.Polymer(row, ShippedCenter, ShippedScale)
		if math.IsNaN(p.Target[0]) && math.IsNaN(p.Target[1]) {
			continue
		}
		examples = append(examples, p.Example(plans.Plan(p.Graph()), row))
	}
	return examples
}
