package polymer

import (
	"fmt"
	"strings"
)

// Code says what kind of thing was wrong.
type Code string

// Codes.
const (
	UnknownMechanism Code = "unknown_mechanism" // no such mechanism
	InvalidMonomers  Code = "invalid_monomers"  // none, too few, or several molecules in one
	InvalidDP        Code = "invalid_dp"        // the mechanism needs more monomers, or any at all
	InvalidWeights   Code = "invalid_distribution"
	InvalidPM        Code = "invalid_pm"     // outside 0..1, or for a mechanism without tacticity
	LacksGroups      Code = "lacks_groups"   // a monomer, or all of them, lack what the mechanism joins
	ChainStopped     Code = "chain_stopped"  // the chain drawn has no end left that can grow
	Ambiguous        Code = "ambiguous"      // mechanism all: more than one applies
	NoReaction       Code = "no_reaction"    // mechanism all: none applies
	InvalidUnit      Code = "invalid_unit"   // a repeat unit without two proper ends
	RingTooSmall     Code = "ring_too_small" // closing would bond an atom to itself or twice to another
)

// Error says why there is no polymer.
type Error struct {
	Code    Code
	Monomer int // index of the monomer to blame, -1 if none in particular
	Pos     int // 1-based position in the SMILES of the monomer or unit, 0 if none
	Detail  string
}

func (e *Error) Error() string { return e.Detail }

// failure is an Error without a monomer to blame.
func failure(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Monomer: -1, Detail: fmt.Sprintf(format, args...)}
}

// MonomerError says that a monomer's SMILES cannot be read.
type MonomerError struct {
	Monomer int // its index
	SMILES  string
	Err     error // what smiles.Read says
}

func (e *MonomerError) Error() string {
	return fmt.Sprintf("monomer %d (%s): %v", e.Monomer+1, e.SMILES, e.Err)
}

func (e *MonomerError) Unwrap() error { return e.Err }

// orList joins words as "a, b or c".
func orList(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
