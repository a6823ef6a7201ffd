package main

import (
	"encoding/json"
	"strconv"

	"polyid-trainer/featurize/structure"
)

// appendError appends why a line has no answer as the last member of an open
// JSON object, and a newline. A position in the line begins at that of the
// monomer to blame, where offsets has the monomers' own.
func appendError(dst []byte, e *structure.Error, offsets []int) []byte {
	position := e.Pos
	if e.Monomer >= 0 && e.Monomer < len(offsets) {
		position = offsets[e.Monomer] + max(e.Pos, 1)
	}
	dst = append(dst, `,"error":{"code":`...)
	dst = appendQuoted(dst, e.Code)
	dst = append(dst, `,"detail":`...)
	dst = appendQuoted(dst, e.Detail)
	if position > 0 {
		dst = append(dst, `,"position":`...)
		dst = strconv.AppendInt(dst, int64(position), 10)
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
