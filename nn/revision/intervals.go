package revision

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"

	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/train"
)

// IntervalScore says how intervals did on rows that no fold saw.
type IntervalScore struct {
	Level    float64       // that they aim at
	Coverage float64       // the share of the rows within theirs
	Width    train.Measure // median, from end to end
	// ByDifficulty is the same by how large an error was to be expected, the easiest
	// rows first; nil where there are too few rows.
	ByDifficulty []IntervalBin
}

// IntervalBin is the rows of one range of difficulty.
type IntervalBin struct {
	Difficulty [2]train.Measure `json:"difficulty"` // least and largest, in the target's units
	Rows       int              `json:"rows"`
	Coverage   float64          `json:"coverage"`
	Width      train.Measure    `json:"width"` // median
}

// By difficulty, rows are divided into tenths where there are enough of them, and
// into thirds otherwise.
const (
	rowsForDeciles  = 1000
	rowsForTerciles = 30
)

// scoreIntervals scores the intervals of target t; nil if there are none.
func scoreIntervals(t int, ps []Prediction, level float64, pick func(Prediction) bool) *IntervalScore {
	type row struct {
		difficulty, width float64
		within            bool
	}
	var rows []row
	for _, p := range ps {
		y := p.Measured[t]
		if !pick(p) || math.IsNaN(y) || p.Interval == nil || p.Interval[t] == nil {
			continue
		}
		i := p.Interval[t]
		r := row{difficulty: math.NaN(), width: i.High - i.Low, within: i.Low <= y && y <= i.High}
		switch { // without a stack, how much the folds disagree
		case p.Difficulty != nil:
			r.difficulty = p.Difficulty[t]
		case p.Std != nil:
			r.difficulty = p.Std[t]
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil
	}
	measure := func(rows []row) (coverage float64, width train.Measure) {
		var widths []float64
		within := 0
		for _, r := range rows {
			widths = append(widths, r.width)
			if r.within {
				within++
			}
		}
		slices.Sort(widths)
		n := len(widths)
		return float64(within) / float64(n), train.Measure((widths[(n-1)/2] + widths[n/2]) / 2)
	}
	out := &IntervalScore{Level: level}
	out.Coverage, out.Width = measure(rows)
	bins := 0
	switch n := len(rows); {
	case slices.ContainsFunc(rows, func(r row) bool { return math.IsNaN(r.difficulty) }):
	case n >= rowsForDeciles:
		bins = 10
	case n >= rowsForTerciles:
		bins = 3
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.difficulty, b.difficulty) })
	for b := range bins {
		part := rows[b*len(rows)/bins : (b+1)*len(rows)/bins]
		bin := IntervalBin{Rows: len(part), Difficulty: [2]train.Measure{train.Measure(part[0].difficulty), train.Measure(part[len(part)-1].difficulty)}}
		bin.Coverage, bin.Width = measure(part)
		out.ByDifficulty = append(out.ByDifficulty, bin)
	}
	return out
}

// MarshalJSON adds how intervals did, in fields that are named by their level:
// interval90_coverage, interval90_width, interval90_by_difficulty.
func (s Score) MarshalJSON() ([]byte, error) {
	type plain Score
	body, err := json.Marshal(plain(s))
	if err != nil || s.Intervals == nil {
		return body, err
	}
	b := bytes.NewBuffer(bytes.TrimSuffix(body, []byte("}")))
	name := "interval" + ensemble.LevelName(s.Intervals.Level)
	for _, field := range []struct {
		name  string
		value any
		there bool
	}{
		{"_coverage", s.Intervals.Coverage, true},
		{"_width", s.Intervals.Width, true},
		{"_by_difficulty", s.Intervals.ByDifficulty, s.Intervals.ByDifficulty != nil},
	} {
		if !field.there {
			continue
		}
		value, err := json.Marshal(field.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(b, ",%q:%s", name+field.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

var intervalField = regexp.MustCompile(`^interval(\d+(?:\.\d+)?)_(coverage|width|by_difficulty)$`)

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Score) UnmarshalJSON(text []byte) error {
	type plain Score
	*s = Score{}
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	for name, value := range fields {
		match := intervalField.FindStringSubmatch(name)
		if match == nil {
			continue
		}
		if s.Intervals == nil {
			s.Intervals = &IntervalScore{}
		}
		var into any
		switch match[2] {
		case "coverage":
			into = &s.Intervals.Coverage
		case "width":
			into = &s.Intervals.Width
		default:
			into = &s.Intervals.ByDifficulty
		}
		if err := json.Unmarshal(value, into); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var percent float64
		if _, err := fmt.Sscan(match[1], &percent); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.Intervals.Level = percent / 100
	}
	return nil
}
