package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The learning-rate schedules.
const (
	Constant        = "constant"          // the rate as it is
	Cosine          = "cosine"            // half a cosine from the rate to MinRatio of it over all epochs
	Exponential     = "exponential"       // times Gamma every epoch
	ReduceOnPlateau = "reduce_on_plateau" // times Factor after Patience epochs without a better val_loss
	OneCycle        = "one_cycle"         // up to the rate over Rise of all steps, then down to almost nothing
)

var schedules = []string{Constant, Cosine, Exponential, ReduceOnPlateau, OneCycle}

// One cycle begins at the rate over oneCycleStart, and ends at that over
// oneCycleEnd (Smith and Topin 2019, with PyTorch's numbers).
const (
	oneCycleStart = 25
	oneCycleEnd   = 1e4
	defaultRise   = 0.3
)

// Schedule varies the learning rate. In JSON it is a name ("constant", the
// default) or an object with the name and its settings; any but one_cycle may
// begin with a linear warm-up. A setting that the named schedule does not read is
// refused.
type Schedule struct {
	Name         string  `json:"name"`
	WarmupEpochs float64 `json:"warmup_epochs,omitempty"` // length of the linear rise from 0
	MinRatio     float64 `json:"min_ratio,omitempty"`     // cosine, reduce_on_plateau: least rate, as a part of the full one
	Gamma        float64 `json:"gamma,omitempty"`         // exponential; 0 stands for 0.99
	Factor       float64 `json:"factor,omitempty"`        // reduce_on_plateau; 0 stands for 0.5
	Patience     int     `json:"patience,omitempty"`      // reduce_on_plateau; 0 stands for 10
	Rise         float64 `json:"rise,omitempty"`          // one_cycle: part of all steps until the full rate; 0 stands for 0.3
}

// WithDefaults fills the zero settings that the schedule reads.
func (s Schedule) WithDefaults() Schedule {
	if s.Name == "" {
		s.Name = Constant
	}
	switch s.Name {
	case Exponential:
		if s.Gamma == 0 {
			s.Gamma = 0.99
		}
	case ReduceOnPlateau:
		if s.Factor == 0 {
			s.Factor = 0.5
		}
		if s.Patience == 0 {
			s.Patience = 10
		}
	case OneCycle:
		if s.Rise == 0 {
			s.Rise = defaultRise
		}
	}
	return s
}

func (s Schedule) validate() error {
	if !slices.Contains(schedules, s.Name) {
		return fmt.Errorf("learning_rate_schedule: unknown schedule %q (there are %s)", s.Name, strings.Join(schedules, ", "))
	}
	var errs []error
	bad := func(field string, format string, args ...any) {
		errs = append(errs, fmt.Errorf("learning_rate_schedule."+field+": "+format, args...))
	}
	used := func(field string, set bool, by ...string) bool {
		if set && !slices.Contains(by, s.Name) {
			bad(field, "%s does not read it", s.Name)
		}
		return slices.Contains(by, s.Name)
	}
	if !(s.WarmupEpochs >= 0 && s.WarmupEpochs <= MaxEpochs) {
		bad("warmup_epochs", "%v is not between 0 and %d", s.WarmupEpochs, MaxEpochs)
	}
	used("warmup_epochs", s.WarmupEpochs != 0, Constant, Cosine, Exponential, ReduceOnPlateau)
	if used("rise", s.Rise != 0, OneCycle) && !(s.Rise > 0 && s.Rise < 1) {
		bad("rise", "%v is not between 0 and 1", s.Rise)
	}
	if used("min_ratio", s.MinRatio != 0, Cosine, ReduceOnPlateau) && !(s.MinRatio >= 0 && s.MinRatio <= 1) {
		bad("min_ratio", "%v is not in [0, 1]", s.MinRatio)
	}
	if used("gamma", s.Gamma != 0, Exponential) && !(s.Gamma > 0 && s.Gamma <= 1) {
		bad("gamma", "%v is not in (0, 1]", s.Gamma)
	}
	if used("factor", s.Factor != 0, ReduceOnPlateau) && !(s.Factor > 0 && s.Factor < 1) {
		bad("factor", "%v is not in (0, 1)", s.Factor)
	}
	if used("patience", s.Patience != 0, ReduceOnPlateau) && (s.Patience < 1 || s.Patience > MaxEpochs) {
		bad("patience", "%d is not between 1 and %d", s.Patience, MaxEpochs)
	}
	return errors.Join(errs...)
}

// Rate is the learning rate of one step, of which full is the whole: step (from
// 0) of the steps of epoch (from 0) of epochs, after history. It depends on
// nothing else, and nothing before a resume is remembered but history.
func (s Schedule) Rate(full float64, epoch, step, steps, epochs int, history []Epoch) float64 {
	if s.Name == Constant && s.WarmupEpochs == 0 {
		return full
	}
	at := float64(epoch) + float64(step)/float64(steps) // in epochs
	if at < s.WarmupEpochs {
		// The first step is one step up the slope, not at 0, where it would be lost.
		return full * (at + 1/float64(steps)) / (s.WarmupEpochs + 1/float64(steps))
	}
	switch s.Name {
	case Cosine:
		part := min(1, (at-s.WarmupEpochs)/max(float64(epochs)-s.WarmupEpochs, 1))
		return full * (s.MinRatio + (1-s.MinRatio)*(1+math.Cos(math.Pi*part))/2)
	case Exponential:
		return full * math.Pow(s.Gamma, max(0, float64(epoch)-s.WarmupEpochs))
	case ReduceOnPlateau:
		return full * s.plateau(history)
	case OneCycle:
		return full * s.cycle(at/float64(epochs))
	}
	return full
}

// cycle is the part of the full rate after a part of all steps: two halves of a
// cosine.
func (s Schedule) cycle(part float64) float64 {
	from, to, way := 1./oneCycleStart, 1., part/s.Rise
	if part > s.Rise {
		from, to, way = 1, 1./oneCycleStart/oneCycleEnd, (part-s.Rise)/(1-s.Rise)
	}
	return from + (to-from)*(1-math.Cos(math.Pi*way))/2
}

// plateau is the product of the reductions that history has earned.
func (s Schedule) plateau(history []Epoch) float64 {
	ratio, best, since := 1.0, math.Inf(1), 0
	for _, h := range history {
		if float64(h.ValLoss) < best {
			best, since = float64(h.ValLoss), 0
		} else if since++; since >= s.Patience {
			ratio, since = max(ratio*s.Factor, s.MinRatio), 0
		}
	}
	return ratio
}

// scheduleObject is Schedule without its JSON methods.
type scheduleObject Schedule

// MarshalJSON writes the name alone when there is nothing else to say.
func (s Schedule) MarshalJSON() ([]byte, error) {
	if s == (Schedule{Name: s.Name}) {
		return json.Marshal(s.Name)
	}
	return json.Marshal(scheduleObject(s))
}

// UnmarshalJSON reads a name or an object. Unknown fields are refused: a
// mistyped setting would otherwise be a different training.
func (s *Schedule) UnmarshalJSON(b []byte) error {
	*s = Schedule{}
	switch b = bytes.TrimSpace(b); {
	case bytes.Equal(b, []byte("null")):
		return nil
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, &s.Name)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode((*scheduleObject)(s)); err != nil {
		return fmt.Errorf("learning_rate_schedule: a name, or an object with a name and settings: %w", err)
	}
	return nil
}
