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
	ex := nn.Example{Plan: of, Atom: of.AtomID, Bond: of.BondID, Row: row}
	for _, y := range p.Target {
		ex.Target = append(ex.Target, float32(y))
	}
	return ex
}
