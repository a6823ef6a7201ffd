package smiles

import "polyid-trainer/featurize/mol"

// tokenKind is what a token is.
type tokenKind uint8

const (
	tokEnd      tokenKind = iota // of the SMILES, also a line feed
	tokUnknown                   // a character that means nothing
	tokOrganic                   // an element that needs no brackets
	tokAromatic                  // a lower case element
	tokElement                   // one that needs brackets
	tokH
	tokDigit
	tokOpen         // (
	tokShut         // )
	tokOpenBracket  // [
	tokCloseBracket // ]
	tokDot
	tokMinus
	tokPlus
	tokAt    // @
	tokClass // @TH and so on
	tokPercent
	tokColon // in brackets; outside it is a bond
	tokHash  // in brackets; outside it is a bond
	tokBond
)

// token is the smallest thing that has a meaning.
type token struct {
	kind  tokenKind
	value uint8 // element, digit or class
	pos   int   // 1-based position of its first character
	last  int   // of its last
}

// lexer cuts a SMILES into tokens.
type lexer struct {
	s       string
	at      int
	bracket bool // elements and numbers are read as between [ and ]
}

// next is the next token, as long as it can be.
func (l *lexer) next() token {
	start := l.at
	if start == len(l.s) {
		return token{kind: tokEnd, pos: start, last: start}
	}
	k, value, n := l.scan(l.s[start:])
	l.at += n
	return token{kind: k, value: value, pos: start + 1, last: start + n}
}

// scan is the kind, value and length of the token s starts with.
func (l *lexer) scan(s string) (tokenKind, uint8, int) {
	c := s[0]
	switch c {
	case '\n':
		return tokEnd, 0, 1
	case '(':
		return tokOpen, 0, 1
	case ')':
		return tokShut, 0, 1
	case '[':
		l.bracket = true
		return tokOpenBracket, 0, 1
	case '.':
		return tokDot, 0, 1
	case '+':
		return tokPlus, 0, 1
	case '%':
		return tokPercent, 0, 1
	case '=', '$', '/', '~':
		return tokBond, c, 1
	case '\\':
		if len(s) > 1 && s[1] == '\\' {
			return tokBond, c, 2 // doubled by some programming language
		}
		return tokBond, c, 1
	case '-':
		if len(s) > 1 && s[1] == '>' {
			return tokBond, '>', 2
		}
		return tokMinus, 0, 1
	case '<':
		if len(s) > 1 && s[1] == '-' {
			return tokBond, '<', 2
		}
		return tokUnknown, 0, 1
	case '@':
		return scanChirality(s)
	case '*':
		return tokOrganic, 0, 1
	}
	if c >= '0' && c <= '9' {
		return tokDigit, c - '0', 1
	}
	if l.bracket {
		return l.scanBracket(s)
	}
	switch c {
	case ':', '#':
		return tokBond, c, 1
	}
	return scanOrganic(s)
}

// scanBracket scans what has its own meaning between brackets.
func (l *lexer) scanBracket(s string) (tokenKind, uint8, int) {
	switch s[0] {
	case ']':
		l.bracket = false
		return tokCloseBracket, 0, 1
	case ':':
		return tokColon, 0, 1
	case '#':
		return tokHash, 0, 1
	case '\'': // 'Rf' to 'Og', as some programs quote them
		if len(s) >= 4 && s[3] == '\'' {
			if e, ok := mol.ElementOf(s[1:3]); ok && e >= 104 {
				return tokElement, uint8(e), 4
			}
		}
		return tokUnknown, 0, 1
	case 'U':
		if len(s) >= 3 && s[1] == 'u' {
			if e, ok := systematic(s[2]); ok {
				return tokElement, e, 3
			}
		}
	}
	if len(s) >= 2 {
		switch s[:2] {
		case "si":
			return tokAromatic, 14, 2
		case "as":
			return tokAromatic, 33, 2
		case "se":
			return tokAromatic, 34, 2
		case "te":
			return tokAromatic, 52, 2
		case "Cl":
			return tokOrganic, 17, 2
		case "Br":
			return tokOrganic, 35, 2
		}
		if e, ok := mol.ElementOf(s[:2]); ok {
			return tokElement, uint8(e), 2
		}
	}
	if k, value, n := scanOrganic(s); k != tokUnknown {
		return k, value, n
	}
	if e, ok := mol.ElementOf(s[:1]); ok {
		return tokElement, uint8(e), 1
	}
	return tokUnknown, 0, 1
}

// systematic is the element Uun, Uuu and so on by its last letter.
func systematic(last byte) (uint8, bool) {
	switch last {
	case 'n':
		return 110, true
	case 'u':
		return 111, true
	case 'b':
		return 112, true
	case 't':
		return 113, true
	case 'q':
		return 114, true
	case 'p':
		return 115, true
	case 'h':
		return 116, true
	case 's':
		return 117, true
	case 'o':
		return 118, true
	}
	return 0, false
}

// scanOrganic scans elements that need no brackets.
func scanOrganic(s string) (tokenKind, uint8, int) {
	switch s[0] {
	case 'C':
		if len(s) > 1 && s[1] == 'l' {
			return tokOrganic, 17, 2
		}
		return tokOrganic, 6, 1
	case 'B':
		if len(s) > 1 && s[1] == 'r' {
			return tokOrganic, 35, 2
		}
		return tokOrganic, 5, 1
	case 'N':
		return tokOrganic, 7, 1
	case 'O':
		return tokOrganic, 8, 1
	case 'F':
		return tokOrganic, 9, 1
	case 'P':
		return tokOrganic, 15, 1
	case 'S':
		return tokOrganic, 16, 1
	case 'I':
		return tokOrganic, 53, 1
	case 'H':
		return tokH, 0, 1
	case 'b':
		return tokAromatic, 5, 1
	case 'c':
		return tokAromatic, 6, 1
	case 'n':
		return tokAromatic, 7, 1
	case 'o':
		return tokAromatic, 8, 1
	case 'p':
		return tokAromatic, 15, 1
	case 's':
		return tokAromatic, 16, 1
	}
	return tokUnknown, 0, 1
}

// scanChirality scans @ or the tag of a class, in which blanks and quotes may
// come after the @.
func scanChirality(s string) (tokenKind, uint8, int) {
	n := 1
	for n < len(s) && (s[n] == ' ' || s[n] == '\'') {
		n++
	}
	if len(s) >= n+2 {
		class := NoClass
		switch s[n : n+2] {
		case "TH":
			class = Tetrahedral
		case "AL":
			class = Allene
		case "SP":
			class = SquarePlanar
		case "TB":
			class = TrigonalBipyramidal
		case "OH":
			class = Octahedral
		}
		if class != NoClass {
			return tokClass, uint8(class), n + 2
		}
	}
	return tokAt, 0, 1
}
