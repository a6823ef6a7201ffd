package main

import (
	"encoding/json"
	"errors"
	"strconv"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// lineError is why a line has no answer.
type lineError struct {
	Code     string
	Detail   string
	Position int // 1-based, 0 = none
}

// describe says what is wrong with a SMILES, and where.
func describe(err error) lineError {
	e := lineError{Code: "invalid", Detail: err.Error()}
	var (
		syntax     *smiles.SyntaxError
		valence    *mol.ValenceError
		kekulize   *mol.KekulizeError
		complexity *mol.ComplexityError
	)
	switch {
	case errors.As(err, &syntax):
		e.Code, e.Position = "syntax", syntax.Pos
	case errors.As(err, &valence):
		e.Code, e.Position = "valence", valence.Pos
	case errors.As(err, &kekulize):
		e.Code, e.Position = "kekulize", kekulize.Pos
	case errors.As(err, &complexity):
		e.Code, e.Position = "complexity", complexity.Pos
	}
	return e
}

// append appends the error as the last member of an open JSON object, and a
// newline.
func (e lineError) append(dst []byte) []byte {
	dst = append(dst, `,"error":{"code":`...)
	dst = appendQuoted(dst, e.Code)
	dst = append(dst, `,"detail":`...)
	dst = appendQuoted(dst, e.Detail)
	if e.Position > 0 {
		dst = append(dst, `,"position":`...)
		dst = strconv.AppendInt(dst, int64(e.Position), 10)
	}
	return append(dst, "}}\n"...)
}

// appendQuoted appends s as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
