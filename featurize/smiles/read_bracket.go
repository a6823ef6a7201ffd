package smiles

// atom ::= organic | aromatic | '[' bracket ']'
func (p *parser) atom() (Atom, error) {
	a := Atom{Pos: p.tok.pos, ElementPos: p.tok.pos}
	if err := p.count(); err != nil {
		return a, err
	}
	switch p.tok.kind {
	case tokOrganic, tokAromatic:
		a.Element, a.Aromatic = int(p.tok.value), p.tok.kind == tokAromatic
		p.advance()
		return a, nil
	case tokOpenBracket:
		a.Bracket = true
		p.advance()
		return a, p.bracket(&a)
	}
	return a, p.unexpected()
}

// bracket ::= number? (element chirality? hydrogens? | hydrogen) charge? (':' number)? ']'
func (p *parser) bracket(a *Atom) (err error) {
	if p.tok.kind == tokDigit {
		if a.Isotope, err = p.number(); err != nil {
			return err
		}
	}
	if p.tok.kind == tokH {
		err = p.hydrogen(a)
	} else if err = p.element(a); err == nil {
		if err = p.chirality(a); err == nil {
			err = p.hydrogens(a)
		}
	}
	if err == nil {
		err = p.charge(a)
	}
	if err == nil && p.tok.kind == tokColon {
		p.advance()
		a.Map, err = p.number()
	}
	if err != nil {
		return err
	}
	if p.tok.kind != tokCloseBracket {
		return p.unexpected()
	}
	p.advance()
	return nil
}

// element ::= organic | aromatic | symbol | '*' | '#' number
func (p *parser) element(a *Atom) (err error) {
	a.ElementPos = p.tok.pos
	switch p.tok.kind {
	case tokOrganic, tokElement:
		a.Element = int(p.tok.value)
	case tokAromatic:
		a.Element, a.Aromatic = int(p.tok.value), true
	case tokHash:
		p.advance()
		a.ElementPos = p.tok.pos
		a.Element, err = p.number()
		return err
	default:
		return p.unexpected()
	}
	p.advance()
	return nil
}

// hydrogen ::= 'H' hydrogens
func (p *parser) hydrogen(a *Atom) error {
	a.Element, a.ElementPos = 1, p.tok.pos
	p.advance()
	return p.hydrogens(a)
}

// chirality ::= ( '@' | '@@' | ('@TH' | '@AL' | '@SP' | '@TB' | '@OH') number? )?
func (p *parser) chirality(a *Atom) (err error) {
	a.ClassPos = p.tok.pos
	switch p.tok.kind {
	case tokAt:
		a.Class = Anticlockwise
		p.advance()
		if p.tok.kind == tokAt {
			a.Class = Clockwise
			p.advance()
		}
	case tokClass:
		a.Class = Class(p.tok.value)
		p.advance()
		if p.tok.kind != tokDigit {
			return nil
		}
		if p.tok.value == 0 {
			return &SyntaxError{Pos: p.tok.last, Msg: "permutations of a chirality count from 1"}
		}
		a.Order, err = p.number()
	}
	return err
}

// hydrogens ::= ( 'H' number? )?
func (p *parser) hydrogens(a *Atom) (err error) {
	if p.tok.kind != tokH {
		return nil
	}
	p.advance()
	a.Hydrogens = 1
	if p.tok.kind == tokDigit {
		a.Hydrogens, err = p.number()
	}
	return err
}

// charge ::= ( '+' ('+' | number)? | '-' ('-' | number)? )?
func (p *parser) charge(a *Atom) (err error) {
	sign := p.tok.kind
	if sign != tokPlus && sign != tokMinus {
		return nil
	}
	p.advance()
	a.Charge = 1
	switch p.tok.kind {
	case sign:
		a.Charge = 2
		p.advance()
	case tokDigit:
		a.Charge, err = p.number()
	}
	if sign == tokMinus {
		a.Charge = -a.Charge
	}
	return err
}

// number ::= '0' | nonzero digit*
func (p *parser) number() (int, error) {
	if p.tok.kind != tokDigit {
		return 0, p.unexpected()
	}
	n := int(p.tok.value)
	p.advance()
	if n == 0 {
		return 0, nil
	}
	for p.tok.kind == tokDigit {
		d := int(p.tok.value)
		if n >= maxNumber/10 || 10*n >= maxNumber-d {
			return 0, &SyntaxError{Pos: p.tok.last, Msg: "number is too large"}
		}
		n = 10*n + d
		p.advance()
	}
	return n, nil
}

// maxNumber is what RDKit's numbers stay below.
const maxNumber = 1<<31 - 1
