// Package smiles reads and writes molecules as SMILES: the OpenSMILES grammar
// with RDKit 2026.9.1's habits. The reader says what it reads to a Follower, of
// which the one that builds a molecule knows nothing about characters.
package smiles

import (
	"strings"

	"polyid-trainer/featurize/mol"
)

// Read parses a SMILES, folds its explicit hydrogens into their neighbours and
// perceives its chemistry, as RDKit's MolFromSmiles does up to stereochemistry:
// that is mol.AssignStereo's, which is only called if hydrogens hinge on it. It
// cuts blanks, control characters and what is not ASCII off both ends, and at
// the first blank between: what follows is a name or CXSMILES, which is not
// looked at. An empty SMILES is a molecule without atoms.
//
// The error is a *SyntaxError or one of mol.Sanitize's, of which a
// *mol.ComplexityError also says that it is longer than MaxSize. Positions are
// 1-based and count from the first character that is not cut off.
func Read(s string) (*mol.Mol, error) {
	m, err := Parse(s)
	if err != nil {
		return nil, err
	}
	mol.FoldHs(m)
	if err := mol.Sanitize(m); err != nil {
		return nil, err
	}
	if m.HsHingeOnStereo() {
		mol.AssignStereo(m)
	}
	return m, nil
}

// MaxSize is how many atoms and ends of ring bonds a SMILES may have together, so
// that it is answered within a tenth of a second whatever it says.
const MaxSize = 1 << 15

// Parse parses a SMILES into its graph, with tags and directions relative to
// the graph's bonds, and perceives nothing.
func Parse(s string) (*mol.Mol, error) {
	s, err := trim(s)
	if err != nil || s == "" {
		return mol.New(0, 0), err
	}
	b := newBuilder(s)
	if err := Follow(s, b); err != nil {
		return nil, err
	}
	return b.finish()
}

// trim cuts the name off and what is no SMILES character off both ends.
func trim(s string) (string, error) {
	if s == "" {
		return s, nil
	}
	if i := strings.IndexAny(s, " \t"); i > 0 {
		s = s[:i]
	}
	outer := func(c byte) bool { return c <= ' ' || c >= 0x80 }
	for s != "" && outer(s[0]) {
		s = s[1:]
	}
	for s != "" && outer(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if s == "" {
		return s, &SyntaxError{Pos: 1, Msg: "nothing but blanks"}
	}
	return s, nil
}

// Follow parses a SMILES and says what it reads to f. It stops at the first
// character that no SMILES could go on with.
func Follow(s string, f Follower) error {
	p := parser{lexer: lexer{s: s}, f: f}
	p.advance()
	return p.molecule()
}

// parser looks one token ahead.
type parser struct {
	lexer
	f    Follower
	tok  token
	open []int // positions of the ( not closed yet
	size int   // atoms and ends of ring bonds so far
}

func (p *parser) advance() { p.tok = p.next() }

// unexpected is the error at the current token.
func (p *parser) unexpected() error {
	msg := "unexpected character"
	if p.tok.kind == tokEnd {
		msg = "unexpected end"
	}
	return &SyntaxError{Pos: p.tok.last, Msg: msg}
}

// count counts an atom or an end of a ring bond.
func (p *parser) count() error {
	if p.size++; p.size > MaxSize {
		return &mol.ComplexityError{Pos: p.tok.pos, Reason: "molecule of too many atoms or rings"}
	}
	return nil
}

// molecule ::= atom (atom | bond atom | bond? ring | '.' atom | '(' bond? atom | ')')*
//
// Parentheses are balanced in the end; any number of ) may follow an atom of a
// branch, so branches need no recursion.
func (p *parser) molecule() error {
	a, err := p.atom()
	if err != nil {
		return err
	}
	p.f.Root(a)
	for {
		switch p.tok.kind {
		case tokEnd:
			if len(p.open) > 0 {
				return &SyntaxError{Pos: p.open[0], Msg: "parenthesis is never closed"}
			}
			return nil
		case tokDot:
			p.advance()
			if a, err = p.atom(); err == nil {
				p.f.Root(a)
			}
		case tokShut:
			err = p.shut()
		case tokOpen:
			err = p.branch()
		default:
			err = p.bonded()
		}
		if err != nil {
			return err
		}
	}
}

// shut ends a branch.
func (p *parser) shut() error {
	if len(p.open) == 0 {
		return &SyntaxError{Pos: p.tok.last, Msg: "parenthesis was never opened"}
	}
	p.open = p.open[:len(p.open)-1]
	p.f.Pop()
	p.advance()
	return nil
}

// branch begins one: '(' bond? atom
func (p *parser) branch() error {
	pos := p.tok.last
	p.advance()
	b := p.bond()
	a, err := p.atom()
	if err != nil {
		return err
	}
	p.open = append(p.open, pos)
	p.f.Push()
	p.f.Extend(b, a)
	return nil
}

// bonded ::= bond? (atom | ring)
func (p *parser) bonded() error {
	b := p.bond()
	switch p.tok.kind {
	case tokDigit, tokPercent:
		number, pos, err := p.ring()
		if err == nil {
			err = p.count()
		}
		if err == nil {
			p.f.Ring(b, number, pos)
		}
		return err
	}
	a, err := p.atom()
	if err == nil {
		p.f.Extend(b, a)
	}
	return err
}

// bond ::= ( '-' | '=' | '#' | '$' | ':' | '/' | '\' | '\\' | '~' | '->' | '<-' )?
func (p *parser) bond() Bond {
	var b Bond
	switch p.tok.kind {
	case tokMinus:
		b.Kind = mol.Single
	case tokBond:
		switch p.tok.value {
		case '=':
			b.Kind = mol.Double
		case '#':
			b.Kind = mol.Triple
		case '$':
			b.Kind = mol.Quadruple
		case ':':
			b.Kind = mol.AromaticBond
		case '/':
			b.Direction = mol.Up
		case '\\':
			b.Direction = mol.Down
		case '~':
			b.Kind = mol.Any
		case '>':
			b.Kind = mol.Dative
		case '<':
			b.Kind, b.Backward = mol.Dative, true
		}
	default:
		return b
	}
	p.advance()
	return b
}

// ring ::= digit | '%' nonzero digit | '%(' digit{1,5} ')'
func (p *parser) ring() (number, pos int, err error) {
	pos = p.tok.pos
	if p.tok.kind == tokDigit {
		number = int(p.tok.value)
		p.advance()
		return number, pos, nil
	}
	p.advance()
	pos = p.tok.pos
	if p.tok.kind == tokDigit && p.tok.value != 0 {
		number = 10 * int(p.tok.value)
		p.advance()
		if p.tok.kind != tokDigit {
			return 0, 0, p.unexpected()
		}
		number += int(p.tok.value)
		p.advance()
		return number, pos, nil
	}
	if p.tok.kind != tokOpen {
		return 0, 0, p.unexpected()
	}
	p.advance()
	pos = p.tok.pos
	digits := 0
	for ; p.tok.kind == tokDigit && digits < 5; digits++ {
		number = 10*number + int(p.tok.value)
		p.advance()
	}
	if digits == 0 || p.tok.kind != tokShut {
		return 0, 0, p.unexpected()
	}
	p.advance()
	return number, pos, nil
}
