package ensemble

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/nn/checkpoint"
)

var one = []checkpoint.Target{{Name: "Tg", Units: "°C"}}

// outOfFold makes rows of one target from (fold, group, residual).
func outOfFold(rows ...[3]float64) (out []OutOfFold) {
	for _, r := range rows {
		out = append(out, OutOfFold{Fold: int(r[0]), Group: int32(r[1]), Measured: []float64{10 + r[2]}, Predicted: []float64{10}})
	}
	return out
}

// TestIntervalByHand follows the definition on small cases.
func TestIntervalByHand(t *testing.T) {
	nine := [][3]float64{}
	for i := range 9 {
		nine = append(nine, [3]float64{float64(i % 2), float64(i), float64(i + 1)})
	}
	nineteen := slices.Clone(nine)
	for i := 9; i < 19; i++ {
		nineteen = append(nineteen, [3]float64{float64(i % 2), float64(i), -float64(i + 1)}) // the sign does not matter
	}
	for _, x := range []struct {
		name    string
		rows    [][3]float64
		perFold []float64
		want    *Interval
	}{
		{"8 groups are too few", nine[:8], []float64{0, 0}, nil},
		// 10 % of 10 is the infinite one: the largest residual is the quantile.
		{"9 groups", nine, []float64{100, 100}, &Interval{91, 109}},
		// 10 % of 20 are the infinite one and the largest.
		{"19 groups", nineteen, []float64{0, 0}, &Interval{-18, 18}},
		// Fold 0 saw residuals 1, 3, …, 19 and fold 1 2, 4, …, 18, where it predicts
		// 10 more: its 28 is the largest of the upper ends, 26 is next. Below,
		// fold 0's -19 is the least, -17 next.
		{"folds disagree", nineteen, []float64{0, 10}, &Interval{-17, 26}},
		// The three rows of group 18 weigh as one, so all of them lie within the
		// 10 %, as the one row of 19 did before.
		{"a group weighs as one", append(slices.Clone(nineteen[:18]), [3]float64{0, 18, 50}, [3]float64{1, 18, 40}, [3]float64{1, 18, 30}), []float64{0, 0}, &Interval{-18, 18}},
		{"the mean is inside", nine, []float64{0, 1000}, &Interval{-9, 1008}},
	} {
		c, err := Calibrate(one, 2, outOfFold(x.rows...), Intervals{})
		if err != nil {
			t.Fatal(err)
		}
		got := c.Interval(0, x.perFold)
		if !reflect.DeepEqual(got, x.want) {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
		if (c.Targets[0].HalfWidth == nil) != (x.want == nil) {
			t.Errorf("%s: half width %v", x.name, c.Targets[0].HalfWidth)
		}
	}
}

// TestIntervalIsCVPlus compares the merge with the definition, written out, on
// random rows.
func TestIntervalIsCVPlus(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n, folds := 12+r.IntN(80), 2+r.IntN(4)
		var rows []OutOfFold
		for range n {
			g := r.IntN(n)
			rows = append(rows, OutOfFold{Fold: g % folds, Group: int32(g), Measured: []float64{r.NormFloat64()}, Predicted: []float64{r.NormFloat64()}})
		}
		perFold := make([]float64, folds)
		for k := range perFold {
			perFold[k] = r.NormFloat64()
		}
		c, err := Calibrate(one, folds, rows, Intervals{})
		if err != nil {
			t.Fatal(err)
		}
		size := map[int32]float64{}
		for _, o := range rows {
			size[o.Group]++
		}
		end := func(sign float64) float64 { // the least v with 90 % of the weight at or below it
			var values []float64
			for _, o := range rows {
				values = append(values, sign*perFold[o.Fold]+math.Abs(o.Measured[0]-o.Predicted[0]))
			}
			slices.Sort(values)
			for _, v := range values {
				mass := 0.0
				for _, o := range rows {
					if sign*perFold[o.Fold]+math.Abs(o.Measured[0]-o.Predicted[0]) <= v {
						mass += 1 / size[o.Group] / float64(len(size)+1)
					}
				}
				if mass >= Level-1e-9 {
					return v
				}
			}
			return math.Inf(1)
		}
		mean, _ := meanStd(perFold)
		low, high := -end(-1), end(1)
		got := c.Interval(0, perFold)
		if math.IsInf(high, 1) || math.IsInf(low, -1) {
			if got != nil {
				t.Fatalf("%d groups: %v, want none", len(size), got)
			}
			continue
		}
		if got == nil || got.Low != min(low, mean) || got.High != max(high, mean) {
			t.Fatalf("%d rows in %d groups: %v, want [%v, %v]", n, len(size), got, low, high)
		}
	}
}

// TestCoverage measures how often intervals hold the truth, on simulated tables
// of 60 polymers with 1 to 8 rows each: a slope fitted by 5 folds, a deviation
// of its own for each polymer and noise for each row. 400 tables and 20 new
// polymers each: one standard error is about 0.4 % of coverage.
func TestCoverage(t *testing.T) {
	const tables, polymers, folds, fresh = 400, 60, 5, 20
	r := rand.New(rand.NewPCG(7, 7))
	type row struct {
		x, y  float64
		group int
	}
	polymer := func(g int) (rows []row) {
		x, own := r.NormFloat64(), r.NormFloat64()
		for range 1 + r.IntN(8) {
			rows = append(rows, row{x: x, y: 3*x + own + 0.3*r.NormFloat64(), group: g})
		}
		return rows
	}
	inside, all, width := 0, 0, 0.0
	for range tables {
		var rows []row
		for g := range polymers {
			rows = append(rows, polymer(g)...)
		}
		slope := make([]float64, folds)
		for k := range folds {
			sxy, sxx := 0.0, 0.0
			for _, p := range rows {
				if p.group%folds != k {
					sxy, sxx = sxy+p.x*p.y, sxx+p.x*p.x
				}
			}
			slope[k] = sxy / sxx
		}
		var out []OutOfFold
		for _, p := range rows {
			k := p.group % folds
			out = append(out, OutOfFold{Fold: k, Group: int32(p.group), Measured: []float64{p.y}, Predicted: []float64{slope[k] * p.x}})
		}
		c, err := Calibrate(one, folds, out, Intervals{})
		if err != nil {
			t.Fatal(err)
		}
		for range fresh {
			p := polymer(0)[0]
			perFold := make([]float64, folds)
			for k := range perFold {
				perFold[k] = slope[k] * p.x
			}
			i := c.Interval(0, perFold)
			if p.y >= i.Low && p.y <= i.High {
				inside++
			}
			all++
			width += i.High - i.Low
		}
	}
	coverage := float64(inside) / float64(all)
	t.Logf("coverage %.1f %% of %d, mean width %.2f (3.43 if the law were known)", 100*coverage, all, width/float64(all))
	if coverage < 0.885 || coverage > 0.93 {
		t.Errorf("intervals at 90 %% hold %.1f %%", 100*coverage)
	}
}

func TestCalibrationJSON(t *testing.T) {
	var rows []OutOfFold
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 30 {
		rows = append(rows, OutOfFold{Fold: i % 3, Group: int32(i / 2), Measured: []float64{r.NormFloat64(), math.NaN()}, Predicted: []float64{0, 1}})
	}
	targets := []checkpoint.Target{{Name: "Tg", Units: "°C"}, {Name: "Tm", Units: "°C"}}
	c, err := Calibrate(targets, 3, rows, Intervals{})
	if err != nil {
		t.Fatal(err)
	}
	if tc := c.Targets[0]; tc.Rows != 30 || tc.Groups != 15 {
		t.Errorf("%d rows in %d groups, want 30 in 15", tc.Rows, tc.Groups)
	}
	if c.Interval(1, []float64{0, 0, 0}) != nil {
		t.Error("a target that was never measured has an interval")
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseCalibration(b)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		x := []float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		if got, want := back.Interval(0, x), c.Interval(0, x); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v after the round trip, %v before", x, got, want)
		}
	}
	for name, mod := range map[string][2]string{
		"method":   {`"cv+`, `"xy`},
		"level":    {`"level":0.9`, `"level":1.5`},
		"order":    {`"residuals":[`, `"residuals":[0,`},
		"negative": {`"weights":[`, `"weights":[-`},
		"no JSON":  {`{`, ``},
		"targets":  {`"targets":`, `"goals":`},
	} {
		bad := strings.Replace(string(b), mod[0], mod[1], 1)
		if bad == string(b) {
			t.Fatalf("%s: nothing was replaced in %s", name, b)
		}
		if _, err := ParseCalibration([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCalibrateRefuses(t *testing.T) {
	for name, r := range map[string]OutOfFold{
		"fold":       {Fold: 2, Measured: []float64{1}, Predicted: []float64{1}},
		"targets":    {Measured: []float64{1, 2}, Predicted: []float64{1, 2}},
		"prediction": {Measured: []float64{1}, Predicted: []float64{math.NaN()}},
	} {
		if _, err := Calibrate(one, 2, []OutOfFold{r}, Intervals{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestLocalIntervals: with residuals in proportion to the difficulty, an interval
// is as wide as that says, and covers alike where it is easy and where it is hard.
func TestLocalIntervals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	difficulty := func(i int) float64 { return []float64{0.5, 1, 4}[i%3] }
	var rows []OutOfFold
	for i := range 900 {
		rows = append(rows, OutOfFold{Fold: i % 3, Group: int32(i), Measured: []float64{difficulty(i) * rng.NormFloat64()},
			Predicted: []float64{0}, Difficulty: []float64{difficulty(i)}})
	}
	c, err := Calibrate([]checkpoint.Target{{Name: "Tg"}}, 3, rows, Intervals{Method: Local, Level: 0.8})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = ParseCalibration(body); err != nil || !c.Local() {
		t.Fatalf("read back: %v", err)
	}
	for at := range 3 {
		covered, total := 0, 0
		for i := at; i < 6000; i += 3 {
			y := difficulty(i) * rng.NormFloat64()
			in := c.IntervalAt(0, []float64{0, 0, 0}, difficulty(i))
			if total++; in.Low <= y && y <= in.High {
				covered++
			}
		}
		if share := float64(covered) / float64(total); share < 0.76 || share > 0.84 {
			t.Errorf("at difficulty %v: %.3f covered, want 0.8", difficulty(at), share)
		}
	}
	if _, err := Calibrate([]checkpoint.Target{{Name: "Tg"}}, 3, []OutOfFold{{Measured: []float64{1}, Predicted: []float64{1}}}, Intervals{Method: Local}); err == nil {
		t.Error("local intervals were made of rows without difficulty")
	}
	for _, bad := range []Intervals{{Method: "bayes"}, {Level: 1}, {Level: 0.1}} {
		if bad.WithDefaults().Validate() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}
