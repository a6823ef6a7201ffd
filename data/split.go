package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Grouping says which rows are too alike to be on both sides of a split.
type Grouping string

const (
	// ByPolymer keeps the rows of one polymer together.
	ByPolymer Grouping = "polymer"
	// ByGraph also keeps polymers together that the network cannot tell apart:
	// what a new chemistry should expect.
	ByGraph Grouping = "graph"
	// ByCluster keeps polymers together whose structures are alike.
	ByCluster Grouping = "cluster"
)

// byColumn precedes the header of a Grouping by a column's cells.
const byColumn = "column:"

// Column is the header of the column whose equal cells stay together; "" if the
// grouping is another.
func (g Grouping) Column() string {
	name, _ := strings.CutPrefix(string(g), byColumn)
	if name == string(g) {
		return ""
	}
	return name
}

// MarshalJSON writes a column as {"column": header}.
func (g Grouping) MarshalJSON() ([]byte, error) {
	if name := g.Column(); name != "" {
		return json.Marshal(map[string]string{"column": name})
	}
	return json.Marshal(string(g))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (g *Grouping) UnmarshalJSON(text []byte) error {
	var name string
	if json.Unmarshal(text, &name) == nil {
		*g = Grouping(name)
		return nil
	}
	var of struct {
		Column string `json:"column"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&of); err != nil || trim(of.Column) == "" {
		return errors.New(`is neither "polymer", "graph", "cluster" nor {"column": header}`)
	}
	*g = Grouping(byColumn + trim(of.Column))
	return nil
}

// Split is a training job's "split".
type Split struct {
	Stratify *bool    `json:"stratify"` // by mechanism, where there are several; nil is true
	GroupBy  Grouping `json:"group_by"` // "" is polymer
	Folds    Folds    `json:"folds"`    // explicit, by position in the input; nil deals them
	// OrderBy is a column of numbers or dates: each fold trains on earlier rows and
	// validates the next ones, so that the earliest rows are never validated.
	OrderBy string `json:"order_by,omitempty"`
}

// Columns are the headers of the columns that the split looks at.
func (s Split) Columns() []string {
	var out []string
	if name := s.GroupBy.Column(); name != "" {
		out = append(out, name)
	}
	if s.OrderBy != "" && !slices.Contains(out, s.OrderBy) {
		out = append(out, s.OrderBy)
	}
	return out
}

// WithDefaults fills what is unset.
func (s Split) WithDefaults() Split {
	if s.Stratify == nil {
		s.Stratify = new(true)
	}
	s.GroupBy, s.OrderBy = orDefault(s.GroupBy, ByPolymer), trim(s.OrderBy)
	return s
}

// Validate reports, joined, every [SettingError].
func (s Split) Validate() error {
	var errs []error
	if s.GroupBy != "" && s.GroupBy != ByPolymer && s.GroupBy != ByGraph && s.GroupBy != ByCluster && s.GroupBy.Column() == "" {
		errs = append(errs, &SettingError{"group_by", fmt.Sprintf(`%.40q is neither polymer, graph, cluster nor {"column": header}`, string(s.GroupBy))})
	}
	if s.OrderBy != "" && s.Folds != nil {
		errs = append(errs, &SettingError{"order_by", "explicit folds have an order of their own: leave one of the two out"})
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
