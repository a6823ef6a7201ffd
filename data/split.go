package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Grouping says which rows are too alike to be on both sides of a split.
type Grouping string

const (
	// ByPolymer keeps the rows of one polymer together.
	ByPolymer Grouping = "polymer"
	// ByGraph also keeps polymers together that the network cannot tell apart:
	// what a new chemistry should expect.
	ByGraph Grouping = "graph"
)

// Split is a training job's "split".
type Split struct {
	Stratify *bool    `json:"stratify"` // by mechanism, where there are several; nil is true
	GroupBy  Grouping `json:"group_by"` // "" is polymer
	Folds    Folds    `json:"folds"`    // explicit, by position in the input; nil deals them
}

// WithDefaults fills what is unset.
func (s Split) WithDefaults() Split {
	if s.Stratify == nil {
		s.Stratify = new(true)
	}
	s.GroupBy = orDefault(s.GroupBy, ByPolymer)
	return s
}

// Validate reports, joined, every [SettingError].
func (s Split) Validate() error {
	var errs []error
	if s.GroupBy != "" && s.GroupBy != ByPolymer && s.GroupBy != ByGraph {
		errs = append(errs, &SettingError{"group_by", fmt.Sprintf("%.40q is neither polymer nor graph", s.GroupBy)})
	}
	if s.Folds != nil && len(s.Folds) < 2 {
		errs = append(errs, &SettingError{"folds", "two folds are the fewest"})
	}
	for i, f := range s.Folds {
		if len(f.Train) == 0 {
			errs = append(errs, &SettingError{fmt.Sprintf("folds/%d/train", i), "is empty"})
		}
		if len(f.Validate) == 0 {
			errs = append(errs, &SettingError{fmt.Sprintf("folds/%d/validate", i), "is empty"})
		}
	}
	return errors.Join(errs...)
}

// ByMechanism is Holdout's one way to stratify.
const ByMechanism = "mechanism"

// Holdout is a training job's "holdout": rows that no fold sees. It is one of a
// fraction, rows, or another dataset.
type Holdout struct {
	Fraction float64 `json:"fraction,omitempty"` // of the rows, in whole groups
	Stratify string  `json:"stratify,omitempty"` // "mechanism" or ""
	Rows     []int   `json:"rows,omitempty"`     // explicit, by position in the input
	Dataset  Names   `json:"dataset,omitempty"`  // read by the caller
}

// Names is a dataset or several to be joined: a JSON string or a list of them.
type Names []string

// UnmarshalJSON reads either form.
func (n *Names) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*n = nil
		if one != "" {
			*n = Names{one}
		}
		return nil
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		return errors.New("is neither a name nor a list of names")
	}
	*n = list
	return nil
}

// MarshalJSON writes a single name as a string.
func (n Names) MarshalJSON() ([]byte, error) {
	if len(n) == 1 {
		return json.Marshal(n[0])
	}
	return json.Marshal([]string(n))
}

// WithDefaults returns h: nothing of a hold-out set is assumed.
func (h Holdout) WithDefaults() Holdout { return h }

// Validate reports, joined, every [SettingError].
func (h Holdout) Validate() error {
	var errs []error
	bad := func(field, detail string) { errs = append(errs, &SettingError{field, detail}) }
	ways := 0
	for _, given := range []bool{h.Fraction != 0, h.Rows != nil, h.Dataset != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		bad("", "give one of fraction, rows and dataset")
	}
	if h.Fraction != 0 && !(h.Fraction > 0 && h.Fraction < 1) {
		bad("fraction", "is between 0 and 1")
	}
	if h.Stratify != "" && h.Stratify != ByMechanism {
		bad("stratify", fmt.Sprintf("%.40q is not mechanism", h.Stratify))
	}
	if h.Stratify != "" && h.Fraction == 0 {
		bad("stratify", "goes with fraction")
	}
	if h.Rows != nil && len(h.Rows) == 0 {
		bad("rows", "is empty")
	}
	if slices.ContainsFunc(h.Rows, func(r int) bool { return r < 0 }) {
		bad("rows", "count from 0")
	}
	return errors.Join(errs...)
}
