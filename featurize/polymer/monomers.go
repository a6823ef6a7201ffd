package polymer

import "strings"

// ParseMonomers finds the monomers in a string: SMILES with dots between them,
// or a Python tuple or list of SMILES in quotes, as PolyID's tables have it.
// What follows dotted SMILES after a blank is a name. It returns the monomers as
// they are written, with the 0-based offset of each in s; whether they are
// SMILES is for New to say.
func ParseMonomers(s string) (monomers []string, offsets []int, err error) {
	trimmed := strings.TrimLeft(s, " \t")
	if len(trimmed) > 1 && strings.ContainsRune("([", rune(trimmed[0])) && strings.ContainsRune(`'")]`, rune(trimmed[1])) {
		return parseLiteral(s, len(s)-len(trimmed))
	}
	at := len(s) - len(trimmed)
	if end := strings.IndexAny(trimmed, " \t"); end >= 0 {
		trimmed = trimmed[:end]
	}
	if trimmed == "" {
		return nil, nil, failure(InvalidMonomers, "there are no monomers")
	}
	for part := range strings.SplitSeq(trimmed, ".") {
		if part == "" {
			return nil, nil, emptyMonomer(at)
		}
		monomers, offsets = append(monomers, part), append(offsets, at)
		at += len(part) + 1
	}
	return monomers, offsets, nil
}

// parseLiteral parses
//
//	literal = ("(" | "[") (quoted ("," quoted)* ","?)? (")" | "]")
//
// from the bracket at s[at].
func parseLiteral(s string, at int) (monomers []string, offsets []int, err error) {
	blank := func() {
		for at < len(s) && (s[at] == ' ' || s[at] == '\t') {
			at++
		}
	}
	closing := byte(')')
	if s[at] == '[' {
		closing = ']'
	}
	malformed := func() error {
		e := failure(InvalidMonomers, "the list of monomers is malformed at position %d", at+1)
		e.Pos = at + 1
		return e
	}
	for at++; ; at++ {
		blank()
		if at < len(s) && s[at] == closing && s[at-1] != '(' && s[at-1] != '[' {
			return monomers, offsets, nil
		}
		if at >= len(s) || s[at] != '\'' && s[at] != '"' {
			return nil, nil, malformed()
		}
		quote := s[at]
		at++
		start, text := at, []byte(nil)
		for ; at < len(s) && s[at] != quote; at++ {
			if s[at] == '\\' && at+1 < len(s) {
				at++
			}
			text = append(text, s[at])
		}
		if at >= len(s) {
			return nil, nil, malformed()
		}
		if len(text) == 0 {
			return nil, nil, emptyMonomer(start)
		}
		monomers, offsets = append(monomers, string(text)), append(offsets, start)
		at++
		blank()
		switch {
		case at < len(s) && s[at] == closing:
			return monomers, offsets, nil
		case at >= len(s) || s[at] != ',':
			return nil, nil, malformed()
		}
	}
}

func emptyMonomer(at int) error {
	e := failure(InvalidMonomers, "there is an empty monomer at position %d", at+1)
	e.Pos = at + 1
	return e
}
