package data

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// column is a JSON list of numbers in which null is NaN.
type column []float64

func (c *column) UnmarshalJSON(text []byte) error {
	var values []*float64
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	for _, v := range values {
		if v == nil {
			*c = append(*c, math.NaN())
		} else {
			*c = append(*c, *v)
		}
	}
	return nil
}

func wantBits(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.IsNaN(got[i]) && math.IsNaN(want[i]) {
			continue
		}
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// gzipped opens a packed file of testdata.
func gzipped(t *testing.T, name string) *gzip.Reader {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestScalerIsScikitLearns(t *testing.T) {
	lines := bufio.NewScanner(gzipped(t, "scaler.jsonl.gz"))
	lines.Buffer(nil, 1<<20)
	cases := 0
	for lines.Scan() {
		var c struct {
			Name                 string
			Values, Scaled, Back column
			Center, Scale        float64
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		rows := make([]int, len(c.Values))
		for i := range rows {
			rows[i] = i
		}
		s, err := FitScaler(c.Values, 1, rows)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		wantBits(t, c.Name+" center", s.Center, []float64{c.Center})
		wantBits(t, c.Name+" scale", s.Scale, []float64{c.Scale})
		scaled := s.Transform(c.Values)
		wantBits(t, c.Name+" scaled", scaled, c.Scaled)
		wantBits(t, c.Name+" back", s.Inverse(scaled), c.Back)
		cases++
	}
	if cases != 52 {
		t.Errorf("%d cases, want 52 (%v)", cases, lines.Err())
	}
}

func TestScalerSeesItsRowsOnly(t *testing.T) {
	nan := math.NaN()
	y := []float64{ // two targets
		1, 10,
		2, nan,
		3, 30,
		1e9, 1e9,
		4, nan,
	}
	s, err := FitScaler(y, 2, []int{0, 1, 2, 4})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "scaler", s, Scaler{Center: []float64{2.5, 20}, Scale: []float64{1.5, 10}})
	if _, err := FitScaler(y, 2, []int{1, 4}); err == nil {
		t.Error("a target without values was fitted")
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"center":[2.5,20],"scale":[1.5,10]}`; string(text) != want {
		t.Errorf("JSON %s, want %s", text, want)
	}
}

// The scaler that PolyID fits on all 229 rows, as its golden files record it.
func TestScalerOfPolyIDsTable(t *testing.T) {
	table := stereo(t)
	s, err := table.FitScaler(allRows(table))
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "scaler", s, Scaler{Center: []float64{36, 150}, Scale: []float64{40, 63}})
}
