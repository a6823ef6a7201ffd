package smiles

import "fmt"

// SyntaxError says where a SMILES stops making sense.
type SyntaxError struct {
	Pos int    // 1-based position of the offending character, counted from the first that is no blank
	Msg string // what is wrong there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("syntax: %s at position %d", e.Msg, e.Pos)
}
