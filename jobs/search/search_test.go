package search_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/jobs/search"
)

const job = `{"dataset": "stereopolymer_input_nopush", "epochs": 90}`

const space = `{
	"learning_rate": {"log": [1e-5, 1e-3]},
	"model.dropout": {"uniform": [0, 0.3]},
	"model.num_messages": {"int": [2, 12]},
	"model.atom_features": {"choice": [64, 128]},
	"early_stopping.patience": {"int": [5, 50]}
}`

func read(t *testing.T, text string) search.Space {
	t.Helper()
	s, problems := search.ReadSpace(json.RawMessage(text), "/space")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

// TestCheck names every problem of a space at once.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, space string
		want        []string // "pointer: a part of the detail"
	}{
		{"a sound space", space, nil},
		{"nothing", `{}`, []string{"/space: names no field"}},
		{"no object", `[]`, []string{"/space: is not an object"}},
		{"logarithms of what has none", `{"learning_rate": {"log": [-1, 0]}}`, []string{"/space/learning_rate/log/0: -1 has no logarithm", "/space/learning_rate/log/1: 0 has no logarithm"}},
		{"ends the wrong way round", `{"learning_rate": {"log": [1e-3, 1e-5]}}`, []string{"/space/learning_rate/log: 0.001 is not below 1e-05"}},
		{"a kind that is none", `{"learning_rate": {"normal": [0, 1]}}`, []string{`/space/learning_rate/normal: "normal" is none of`}},
		{"two kinds", `{"learning_rate": {"log": [1e-5, 1e-3], "choice": [1]}}`, []string{"/space/learning_rate: is not one of"}},
		{"no choices", `{"batch_size": {"choice": []}}`, []string{"/space/batch_size/choice: is not a list of at least one"}},
		{"a choice twice", `{"batch_size": {"choice": [1, 16, 1]}}`, []string{"/space/batch_size/choice/2: 1 is value 0 already"}},
		{"a fraction of a whole number", `{"batch_size": {"int": [1, 16.5]}}`, []string{"/space/batch_size/int/1: 16.5 is not a whole number"}},
		{"fields that no job has", `{"learningrate": {"log": [1e-5, 1e-3]}, "model.layers": {"int": [1, 2]}}`, []string{"/space/learningrate: is not a field", "/space/model.layers: is not a field"}},
		{"values that cannot be", `{"batch_size": {"choice": [1, 0.5, "two"]}, "learning_rate": {"uniform": [0.5, 2]}, "model.dropout": {"uniform": [0.1, 1.5]}}`,
			[]string{"/space/batch_size/choice/1: 0.5 does not fit", `/space/batch_size/choice/2: "two" does not fit`, "/space/learning_rate/uniform/1: learning_rate: 2", "/space/model.dropout/uniform/1: model/dropout: 1.5"}},
		{"real numbers where whole ones belong", `{"batch_size": {"log": [1, 64]}}`, []string{"/space/batch_size: 25.06"}},
		{"what makes scores incomparable", `{"seed": {"int": [0, 9]}, "split.stratify": {"choice": [true, false]}}`,
			[]string{"/space/seed: cannot be searched over", "/space/split.stratify: cannot be searched over"}},
		{"a field within a field", `{"model": {"choice": [{"atom_features": 8}]}, "model.dropout": {"uniform": [0, 0.1]}}`, []string{"/space/model.dropout: is a part of model"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, problems := search.ReadSpace(json.RawMessage(c.space), "/space")
			problems = append(problems, search.Check(s, json.RawMessage(job), "/space")...)
			var got []string
			for _, p := range problems {
				got = append(got, p.Pointer+": "+p.Detail)
			}
			slices.Sort(got)
			if len(got) != len(c.want) {
				t.Fatalf("problems %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("problem %q, want %q", got[i], want)
				}
			}
		})
	}
}

// TestWith puts values where their paths lead, through what is not there.
func TestWith(t *testing.T) {
	got, err := search.With(json.RawMessage(`{"epochs": 9, "early_stopping": null, "model": {"dropout": 0.1}}`), search.Values{
		"early_stopping.patience": json.RawMessage("7"), "model.atom_features": json.RawMessage("64"), "epochs": json.RawMessage("3"),
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"early_stopping":{"patience":7},"epochs":3,"model":{"atom_features":64,"dropout":0.1}}`
	if string(got) != want {
		t.Errorf("body %s, want %s", got, want)
	}
	if _, err := search.With(json.RawMessage(`{"epochs": 9}`), search.Values{"epochs.more": json.RawMessage("1")}); err == nil {
		t.Error("a number got a field")
	}
}

// TestSpaceJSON holds a space to what it was read from.
func TestSpaceJSON(t *testing.T) {
	s := read(t, space)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if again := read(t, string(text)); !reflect.DeepEqual(s, again) {
		t.Errorf("read again: %v, want %v", again, s)
	}
}

// TestRandom draws points in bounds, equal for equal numbers of trials, with each
// half of each scale in half of them.
func TestRandom(t *testing.T) {
	s := read(t, space)
	const n = 2000
	low := make([]int, len(s))
	for i := range n {
		at := search.Random(s, 7, i)
		if again := search.Random(s, 7, i); !slices.Equal(at, again) {
			t.Fatalf("trial %d is %v and %v", i, at, again)
		}
		for k, p := range s {
			middle := (p.Low + p.High) / 2
			switch {
			case p.Kind == search.Choice:
				middle = float64(len(p.Choices)-1) / 2
			case at[k] < p.Low || at[k] > p.High:
				t.Fatalf("%s is %v, outside %v to %v", p.Path, at[k], p.Low, p.High)
			case p.Kind == search.Log:
				middle = math.Sqrt(p.Low * p.High)
			}
			if at[k] < middle {
				low[k]++
			}
		}
	}
	for k, p := range s {
		part := float64(low[k]) / n
		want := 0.5
		if p.Path == "model.num_messages" { // 2 to 6 of 2 to 12
			want = 5.0 / 11
		}
		if math.Abs(part-want) > 0.05 {
			t.Errorf("%s is in its lower half in %v of the trials, want %v", p.Path, part, want)
		}
	}
}

// TestTPERepeats makes equal proposals of equal scores, and other ones of others.
func TestTPERepeats(t *testing.T) {
	s := read(t, space)
	var seen []search.Observation
	for i := range 30 {
		at := search.Random(s, 1, i)
		seen = append(seen, search.Observation{At: at, Score: at[1]})
	}
	seen[3].Score = math.NaN() // failed
	a, b := search.TPE(s, 1, 30, seen, nil), search.TPE(s, 1, 30, seen, nil)
	if !slices.Equal(a, b) {
		t.Errorf("one proposal is %v, the same again %v", a, b)
	}
	if next := search.TPE(s, 1, 31, seen, []search.Point{a}); slices.Equal(a, next) {
		t.Errorf("two trials of a batch are %v", a)
	}
	for i := range seen {
		seen[i].Score = -seen[i].Score
	}
	if c := search.TPE(s, 1, 30, seen, nil); slices.Equal(a, c) {
		t.Errorf("the proposal is %v whatever the scores", a)
	}
}

func TestRungs(t *testing.T) {
	for _, c := range []struct {
		epochs, n, factor int
		want              []int
	}{
		{90, 3, 3, []int{10, 30, 90}},
		{500, 3, 3, []int{55, 166, 500}},
		{5, 3, 3, []int{1, 5}},
		{1, 3, 3, []int{1}},
		{90, 1, 3, []int{90}},
	} {
		if got := search.Rungs(c.epochs, c.n, c.factor); !slices.Equal(got, c.want) {
			t.Errorf("Rungs(%d, %d, %d) is %v, want %v", c.epochs, c.n, c.factor, got, c.want)
		}
	}
}

// TestPromote lets one of three go on, ties by the number of the trial, whatever
// order they are in, and none that failed.
func TestPromote(t *testing.T) {
	nan := math.NaN()
	reached := []search.Candidate{{5, 0.2}, {0, nan}, {1, 0.3}, {2, 0.2}, {3, 0.1}, {4, 0.9}, {6, nan}}
	for _, c := range []struct {
		reached []search.Candidate
		want    []int
	}{
		{reached, []int{3, 2}},
		{[]search.Candidate{{1, 0.5}, {0, 0.5}}, []int{0}},
		{[]search.Candidate{{0, nan}, {1, nan}, {2, nan}}, nil},
	} {
		if got := search.Promote(c.reached, 3); !slices.Equal(got, c.want) {
			t.Errorf("Promote(%v) is %v, want %v", c.reached, got, c.want)
		}
		slices.Reverse(c.reached)
		if got := search.Promote(c.reached, 3); !slices.Equal(got, c.want) {
			t.Errorf("Promote(%v) is %v, want %v", c.reached, got, c.want)
		}
	}
}
