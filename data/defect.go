package data

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Code names a kind of [Defect] for programs.
type Code string

// Defects of one row. Rows with one may be dropped.
const (
	BadSMILES        Code = "invalid_smiles"    // Options.Check refused it
	BadMonomers      Code = "invalid_monomers"  // neither tuple nor dot-separated
	BadNumber        Code = "invalid_number"    // a number that is none
	BadRange         Code = "out_of_range"      // a number that cannot be, as pm = 2
	Bound            Code = "bound"             // a number that the value lies above or below, as >300
	MissingStructure Code = "missing_structure" // no column says what the polymer is
	MissingMechanism Code = "missing_mechanism" // monomers without one
	UnknownMechanism Code = "unknown_mechanism" // not in Options.Mechanisms
	MissingProperty  Code = "missing_property"  // a long table's value of nothing
	RaggedRow        Code = "ragged_row"        // more or fewer cells than the header
	BadSyntax        Code = "invalid_csv"       // quotes that do not match
	DuplicateRow     Code = "duplicate_row"     // structure and values of an earlier row
)

// Defects of a column or of the whole file.
const (
	NoHeader        Code = "no_header"
	NoRows          Code = "no_rows"
	NoStructure     Code = "no_structure_column"
	NoTargets       Code = "no_targets"
	UnknownColumn   Code = "unknown_column"
	NotATarget      Code = "not_a_target"     // pm, DP and the like
	DuplicateHeader Code = "duplicate_header" // also two names of one property
	MixedUnits      Code = "mixed_units"
	TooFewValues    Code = "too_few_values"
)

// Defect is one thing wrong with a file, with everything needed to find it.
type Defect struct {
	Source   string `json:"source,omitempty"`   // the file's name, when there is one
	Row      int    `json:"row,omitempty"`      // as a spreadsheet shows it, the header being row 1; 0 is no row
	Column   string `json:"column,omitempty"`   // header of the column
	Code     Code   `json:"code"`               //
	Reason   string `json:"reason"`             // a sentence for people
	Position int    `json:"position,omitempty"` // 1-based, in the SMILES or the cell; 0 is unknown
}

func (d Defect) String() string {
	var b strings.Builder
	if d.Source != "" {
		b.WriteString(d.Source + ", ")
	}
	if d.Row > 0 {
		fmt.Fprintf(&b, "row %d, ", d.Row)
	}
	if d.Column != "" {
		fmt.Fprintf(&b, "column %s, ", d.Column)
	}
	where := strings.TrimSuffix(b.String(), ", ")
	if where == "" {
		return d.Reason
	}
	return where + ": " + d.Reason
}

// Warning is something a user should know that stops nothing.
type Warning struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Unlikely is a numeric column that is probably no property.
type Unlikely struct {
	Column string `json:"column"`
	Reason string `json:"reason"` // a sentence for people
}

// Report is what [Parse] found, whether or not it made a table.
type Report struct {
	Rows    int      `json:"rows"`    // data rows read, blank lines not counted
	Kept    int      `json:"kept"`    // rows of the table (a long table's are fewer)
	Defects []Defect `json:"defects"` // what stands; it blocks training
	Dropped []Defect `json:"dropped"` // why rows were left out, where that was allowed
	Omitted int      `json:"omitted"` // defects of rows past Options.MaxDefects, counted only

	// NotProposed are numeric columns that are no target unless they are asked for.
	NotProposed []Unlikely `json:"not_proposed"`

	Warnings []Warning `json:"warnings"` //
}

// Err is nil if nothing blocks, and otherwise a [*DefectsError].
func (r *Report) Err() error {
	if len(r.Defects) == 0 {
		return nil
	}
	return &DefectsError{Defects: r.Defects}
}

// DefectsError says that a file was read and found wanting.
type DefectsError struct{ Defects []Defect }

// Error names the first three defects and the number of the rest.
func (e *DefectsError) Error() string {
	const shown = 3
	var b strings.Builder
	for i, d := range e.Defects {
		if i == shown {
			fmt.Fprintf(&b, "; and %d more", len(e.Defects)-shown)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(d.String())
	}
	return b.String()
}

// count writes a count of which 0 means none.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Outcomes of reading that are no defect of a row.
var (
	// ErrFormat: the bytes are no table this package reads.
	ErrFormat = errors.New("not a CSV or .xlsx table")
	// ErrTooLarge: a limit of Options was passed.
	ErrTooLarge = errors.New("table too large")
)

// SettingError is one impossible setting. Validate methods join all they find;
// [errors.Join]'s Unwrap lists them.
type SettingError struct {
	Field  string // JSON path below the struct's own, as "group_by"
	Detail string
}

func (e *SettingError) Error() string { return e.Field + ": " + e.Detail }
