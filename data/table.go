package data

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Table is polymers and what was measured of them.
type Table struct {
	Structures []Structure // one per row
	Targets    []Target    // one per property
	Y          []float64   // [rows × targets], row by row, NaN is unmeasured
	N          []int32     // [rows × targets] measurements behind each value
	Origin     []Origin    // one per row
	InputRows  int         // rows before any was dropped; Origin.Position counts these

	Conditions []string  // names of the conditions of a measurement
	C          []float64 // [rows × conditions], row by row, NaN is unknown
	Weight     []float64 // of each row, ≥ 0; nil where all rows count the same

	// Bound is [rows × targets]: a value that the target lies above where Side is 1,
	// and below where it is -1. Its Y is NaN: a bound is no measurement. Both are nil
	// where bounds are not read.
	Bound []float64
	Side  []int8

	// Kept are the cells of Options.Keep's columns, by header and row.
	Kept map[string][]string
}

// Target is a property to learn.
type Target struct {
	Name   string `json:"name"`   // as asked for, or the header without units
	Column string `json:"column"` // header of the first file that has it
	Units  string `json:"units"`  // "" is unknown
}

// Origin is where a row came from.
type Origin struct {
	Source   int // index of the sheet
	Row      int // as a spreadsheet shows it
	Position int // 0-based among the input's data rows, all sheets in order: what PolyID's fold files count
}

// Rows is the number of rows.
func (t *Table) Rows() int { return len(t.Structures) }

// Values are a row's targets, NaN where unmeasured. The slice is the table's.
func (t *Table) Values(row int) []float64 {
	n := len(t.Targets)
	return t.Y[row*n : (row+1)*n : (row+1)*n]
}

// Measured says whether a row has any value. One without teaches nothing and
// judges nothing: it keeps its place in the table and is in no fold.
func (t *Table) Measured(row int) bool {
	for _, v := range t.Values(row) {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// Known says whether a row has any value, or a bound of one: whether there is
// anything to learn from it.
func (t *Table) Known(row int) bool {
	if t.Measured(row) {
		return true
	}
	if t.Side == nil {
		return false
	}
	n := len(t.Targets)
	return slices.ContainsFunc(t.Side[row*n:(row+1)*n], func(side int8) bool { return side != 0 })
}

// ConditionsOf are a row's conditions, NaN where unknown. The slice is the table's.
func (t *Table) ConditionsOf(row int) []float64 {
	n := len(t.Conditions)
	return t.C[row*n : (row+1)*n : (row+1)*n]
}

// WeightOf is a row's weight.
func (t *Table) WeightOf(row int) float64 {
	if t.Weight == nil {
		return 1
	}
	return t.Weight[row]
}

// Counts is how many values each target has in the given rows.
func (t *Table) Counts(rows []int) []int {
	n := make([]int, len(t.Targets))
	for _, r := range rows {
		for i, v := range t.Values(r) {
			if !math.IsNaN(v) {
				n[i]++
			}
		}
	}
	return n
}

// Notation is a way to state a polymer.
type Notation string

// The notations, in the order in which a row's columns are preferred.
const (
	Polymer    Notation = "smiles_polymer"     // a finished chain
	RepeatUnit Notation = "smiles_repeat_unit" // two * where units join
	Monomers   Notation = "monomers"           // to be polymerised
)

// Structure is a polymer as a row states it.
type Structure struct {
	Polymer      string    // SMILES of a chain
	RepeatUnit   string    // SMILES of a repeat unit
	Monomers     []string  // SMILES
	Mechanism    string    // "" is unstated
	PM           float64   // fraction of meso diads; NaN is unstated
	Distribution []float64 // sampling weights of the monomers; nil is unstated
	DP           int       // monomers or repeat units in a chain; 0 is unstated
	Replicate    int       // which of several chains grown from the same monomers

	Identity string // the same for all writings of one polymer, by Options.Identify; "" is unknown
}

// Notation is the one to build the polymer from; "" if there is none.
func (s *Structure) Notation() Notation {
	switch {
	case s.Polymer != "":
		return Polymer
	case s.RepeatUnit != "":
		return RepeatUnit
	case len(s.Monomers) > 0:
		return Monomers
	}
	return ""
}

// Field is a column of the structure as text, for grouping and for files; ok is
// false if there is no such column.
func (s *Structure) Field(name string) (value string, ok bool) {
	switch fold(name) {
	case "smilespolymer":
		return s.Polymer, true
	case "smilesrepeatunit":
		return s.RepeatUnit, true
	case "monomers":
		if len(s.Monomers) == 0 {
			return "", true
		}
		return FormatMonomers(s.Monomers), true
	case "smilesmonomer":
		return strings.Join(s.Monomers, "."), true
	case "mechanism":
		return s.Mechanism, true
	case "pm":
		return formatNumber(s.PM), true
	case "distribution":
		return formatDistribution(s.Distribution), true
	case "dp":
		return count(s.DP), true
	case "replicatestructure":
		return strconv.Itoa(s.Replicate), true
	}
	return "", false
}

// fields are the columns of a Structure, as Table.WriteCSV names them.
var fields = []string{"smiles_polymer", "smiles_repeat_unit", "monomers", "mechanism", "pm", "distribution", "DP", "replicate_structure"}

// appendKey appends bytes that are equal for equal structures.
func (s *Structure) appendKey(b []byte) []byte {
	for _, f := range fields {
		v, _ := s.Field(f)
		b = append(append(b, v...), 0)
	}
	return b
}
