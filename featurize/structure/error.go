package structure

import (
	"errors"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
)

// Error says what is wrong with a structure, and where.
type Error struct {
	Code    string // syntax, valence, kekulize, complexity, or a polymer.Code
	Detail  string
	Monomer int // index of the monomer to blame, -1 if none in particular
	Pos     int // 1-based, in the SMILES of the monomer, unit or chain; 0 is unknown
}

func (e *Error) Error() string { return e.Detail }

// Position is Pos, as data.Options.Check reports it.
func (e *Error) Position() int { return e.Pos }

// Describe makes an *Error of what reading a SMILES or growing a chain reports.
func Describe(err error) *Error {
	d := &Error{Code: "invalid", Detail: err.Error(), Monomer: -1}
	var (
		known      *Error
		unread     *polymer.MonomerError
		refused    *polymer.Error
		syntax     *smiles.SyntaxError
		valence    *mol.ValenceError
		kekulize   *mol.KekulizeError
		complexity *mol.ComplexityError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &unread):
		d = Describe(unread.Err)
		d.Monomer, d.Detail = unread.Monomer, unread.Error()
	case errors.As(err, &refused):
		d.Code, d.Monomer, d.Pos = string(refused.Code), refused.Monomer, refused.Pos
	case errors.As(err, &syntax):
		d.Code, d.Pos = "syntax", syntax.Pos
	case errors.As(err, &valence):
		d.Code, d.Pos = "valence", valence.Pos
	case errors.As(err, &kekulize):
		d.Code, d.Pos = "kekulize", kekulize.Pos
	case errors.As(err, &complexity):
		d.Code, d.Pos = "complexity", complexity.Pos
	}
	return d
}

// Grown is Describe for an error of growing a chain: a position in the chain,
// which nobody wrote, is left out.
func Grown(err error) *Error {
	d := Describe(err)
	var refused *polymer.Error
	if !errors.As(err, &refused) {
		d.Pos = 0
	}
	return d
}
