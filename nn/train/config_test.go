package train

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestConfigJSON(t *testing.T) {
	for _, x := range []struct {
		in   string
		want Config
	}{
		{`{}`, DefaultConfig()},
		{`{"decay": 0, "epochs": 15}`, Config{Epochs: 15, BatchSize: 1, LearningRate: 1e-4, ValidateEvery: 1, Schedule: Schedule{Name: Constant}}},
		{`{"learning_rate_schedule": "cosine"}`, Config{Epochs: 500, BatchSize: 1, LearningRate: 1e-4, Decay: 1e-5, ValidateEvery: 1, Schedule: Schedule{Name: Cosine}}},
		{`{"learning_rate_schedule": {"name": "exponential", "warmup_epochs": 2}, "early_stopping": {"min_delta": 0.01}}`,
			Config{Epochs: 500, BatchSize: 1, LearningRate: 1e-4, Decay: 1e-5, ValidateEvery: 1,
				EarlyStopping: &EarlyStopping{Patience: 50, MinDelta: 0.01},
				Schedule:      Schedule{Name: Exponential, WarmupEpochs: 2, Gamma: 0.99}}},
		{`{"learning_rate_schedule": null, "early_stopping": null}`, DefaultConfig()},
	} {
		c := DefaultConfig()
		if err := json.Unmarshal([]byte(x.in), &c); err != nil {
			t.Fatalf("%s: %v", x.in, err)
		}
		c = c.WithDefaults()
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", x.in, err)
		}
		if !reflect.DeepEqual(c, x.want) {
			t.Errorf("%s is %+v, want %+v", x.in, c, x.want)
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Config
		if err := json.Unmarshal(out, &back); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%s came back as %+v, %v", out, back, err)
		}
	}
	out, err := json.Marshal(DefaultConfig())
	if want := `{"epochs":500,"batch_size":1,"learning_rate":0.0001,"decay":0.00001,"seed":0,"early_stopping":null,"learning_rate_schedule":"constant","average_weights":null,"clip_norm":null,"validate_every":1}`; err != nil || string(out) != want {
		t.Errorf("the default is %s, want %s", out, want)
	}
	for _, bad := range []string{`{"learning_rate_schedule": {"name": "cosine", "gama": 1}}`, `{"learning_rate_schedule": 3}`} {
		var c Config
		if err := json.Unmarshal([]byte(bad), &c); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// TestValidateListsEveryProblem holds Validate to one line a problem.
func TestValidateListsEveryProblem(t *testing.T) {
	c := Config{Epochs: -1, BatchSize: -1, LearningRate: math.NaN(), Decay: 1,
		EarlyStopping: &EarlyStopping{Patience: -1, MinDelta: math.Inf(1)},
		Schedule:      Schedule{Name: Cosine, WarmupEpochs: -1, MinRatio: 2, Gamma: 0.5, Factor: 3, Patience: -2}}
	want := []string{"epochs", "batch_size", "learning_rate", "decay", "early_stopping.patience", "early_stopping.min_delta",
		"learning_rate_schedule.warmup_epochs", "learning_rate_schedule.min_ratio", "learning_rate_schedule.gamma",
		"learning_rate_schedule.factor", "learning_rate_schedule.patience"}
	var got []string
	for line := range strings.Lines(c.Validate().Error()) {
		field, _, _ := strings.Cut(line, ":")
		got = append(got, field)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("problems with %q, want %q", got, want)
	}
	c = DefaultConfig()
	c.Schedule.Name = "triangle"
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "reduce_on_plateau") {
		t.Errorf("unknown schedule: %v, want the known ones listed", err)
	}
	for _, s := range []Schedule{{Name: Exponential, Gamma: 1.5}, {Name: ReduceOnPlateau, Factor: 1, Patience: -1}} {
		c.Schedule = s
		if c.Validate() == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

func TestSchedules(t *testing.T) {
	history := func(v ...Measure) (h []Epoch) {
		for _, v := range v {
			h = append(h, Epoch{ValLoss: v})
		}
		return h
	}
	warm := Schedule{Name: Constant, WarmupEpochs: 2}
	for _, x := range []struct {
		what              string
		s                 Schedule
		epoch, step, want float64
		history           []Epoch
	}{
		{"constant", Schedule{Name: Constant}, 7, 3, 1, nil},
		{"warm-up, first step", warm, 0, 0, 0.1 / 2.1, nil},
		{"warm-up, second step", warm, 0, 1, 0.2 / 2.1, nil},
		{"warm-up, last step", warm, 1, 9, 2. / 2.1, nil},
		{"after the warm-up", warm, 2, 0, 1, nil},
		{"cosine, start", Schedule{Name: Cosine}, 0, 0, 1, nil},
		{"cosine, middle", Schedule{Name: Cosine, MinRatio: 0.2}, 10, 0, 0.6, nil},
		{"cosine, end", Schedule{Name: Cosine, MinRatio: 0.2}, 20, 0, 0.2, nil},
		{"cosine after a warm-up", Schedule{Name: Cosine, WarmupEpochs: 10}, 15, 0, 0.5, nil},
		{"exponential", Schedule{Name: Exponential, Gamma: 0.5}, 3, 9, 0.125, nil},
		{"plateau, none", Schedule{Name: ReduceOnPlateau, Factor: 0.5, Patience: 2}, 3, 0, 1, history(3, 2, 1)},
		{"plateau, not yet", Schedule{Name: ReduceOnPlateau, Factor: 0.5, Patience: 2}, 2, 0, 1, history(1, 1)},
		{"plateau, one", Schedule{Name: ReduceOnPlateau, Factor: 0.5, Patience: 2}, 3, 0, 0.5, history(1, 1, 2)},
		{"plateau, two", Schedule{Name: ReduceOnPlateau, Factor: 0.5, Patience: 2}, 6, 0, 0.25, history(1, 1, 1, 0.5, 1, 1)},
		{"plateau, floor", Schedule{Name: ReduceOnPlateau, Factor: 0.1, Patience: 1, MinRatio: 0.05}, 6, 0, 0.05, history(1, 1, 1, 1)},
	} {
		if got := x.s.Rate(3, int(x.epoch), int(x.step), 10, 20, x.history); math.Abs(got-3*x.want) > 1e-15 {
			t.Errorf("%s: rate %v, want %v", x.what, got, 3*x.want)
		}
	}
}

func TestShuffleIsAKeyedPermutation(t *testing.T) {
	a, b := make([]int, 183), make([]int, 183)
	counts := make([]int, 183)
	for epoch := range 200 {
		shuffle(a, FoldSeed(0, 0), epoch)
		shuffle(b, FoldSeed(0, 0), epoch)
		if !reflect.DeepEqual(a, b) {
			t.Fatal("the same key gives another order")
		}
		seen := make([]bool, len(a))
		for _, i := range a {
			if seen[i] {
				t.Fatalf("%d comes twice", i)
			}
			seen[i] = true
		}
		counts[a[0]]++
	}
	if shuffle(b, FoldSeed(0, 1), 199); reflect.DeepEqual(a, b) {
		t.Error("two folds share an order")
	}
	// A first place each row takes about 200/183 times: 8 would be a freak.
	for i, n := range counts {
		if n > 8 {
			t.Errorf("row %d comes first in %d of 200 epochs", i, n)
		}
	}
	// Orders are kept by checkpoints of years ago.
	small := make([]int, 8)
	shuffle(small, 1, 2)
	if want := []int{1, 2, 5, 0, 3, 7, 4, 6}; !reflect.DeepEqual(small, want) {
		t.Errorf("order of seed 1, epoch 2 is %v, was %v: checkpoints no longer resume exactly", small, want)
	}
}

func TestTimed(t *testing.T) {
	ck := newClock(0)
	var saved []time.Time
	c := &Timed{Every: 10 * time.Second, Now: ck.now, Write: func(context.Context, *Snapshot) error {
		ck.t = ck.t.Add(3 * time.Second) // saving takes time itself
		saved = append(saved, ck.t)
		return nil
	}}
	start := ck.t
	for ck.t.Before(start.Add(40 * time.Second)) {
		if c.Due() {
			if err := c.Save(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		ck.t = ck.t.Add(time.Second)
	}
	want := []time.Time{start.Add(13 * time.Second), start.Add(26 * time.Second), start.Add(39 * time.Second)}
	if !reflect.DeepEqual(saved, want) {
		t.Errorf("saved at %v, want %v", saved, want)
	}
}

func TestMeasureJSON(t *testing.T) {
	out, err := json.Marshal([]Measure{0.1, Measure(math.NaN()), Measure(math.Inf(1))})
	if err != nil || string(out) != `[0.1,null,null]` {
		t.Errorf("%s, %v", out, err)
	}
	var back []Measure
	if err := json.Unmarshal(out, &back); err != nil || back[0] != 0.1 || !math.IsNaN(float64(back[1])) {
		t.Errorf("%v, %v", back, err)
	}
}
