package data

import (
	"fmt"
	"strings"
)

// cellError is what is wrong in a cell, and where.
type cellError struct {
	position int // 1-based, in bytes of the cell
	reason   string
}

func (e *cellError) Error() string { return e.reason }

// ParseMonomers reads the SMILES of a polymer's monomers: a Python tuple or
// list of strings, "('OCC', 'CC(=O)O')", or SMILES joined by dots. No SMILES
// begins with a parenthesis, or with a bracket before a quote, so the two never
// meet. An empty tuple and an empty cell are no monomers.
func ParseMonomers(cell string) ([]string, error) {
	cell = trim(cell)
	if !looksLikeSequence(cell) {
		return splitDots(cell)
	}
	p := sequence{text: cell, at: 1}
	var out []string
	err := p.each(func() error {
		s, err := p.quoted()
		if err != nil {
			return err
		}
		if s = trim(s); s == "" {
			return p.fail("an empty monomer")
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// FormatMonomers writes monomers as Python writes a tuple of strings.
func FormatMonomers(monomers []string) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, m := range monomers {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('\'')
		for _, c := range []byte(m) {
			if c == '\\' || c == '\'' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteByte('\'')
	}
	if len(monomers) == 1 {
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String()
}

func looksLikeSequence(cell string) bool {
	if strings.HasPrefix(cell, "(") {
		return true
	}
	inner, ok := strings.CutPrefix(cell, "[")
	inner = strings.TrimLeft(inner, " \t")
	return ok && inner != "" && strings.ContainsRune(`'"]`, rune(inner[0]))
}

func splitDots(cell string) ([]string, error) {
	if isBlank(cell) {
		return nil, nil
	}
	parts := strings.Split(cell, ".")
	at := 1
	for i, s := range parts {
		parts[i] = trim(s)
		if parts[i] == "" {
			return nil, &cellError{at, "an empty monomer between dots"}
		}
		at += len(s) + 1
	}
	return parts, nil
}

// parseDistribution reads sampling weights in monomer order: "[0.5, 0.5]",
// "(1,)", "1" or nothing.
func parseDistribution(cell string) ([]float64, error) {
	if isBlank(cell) {
		return nil, nil
	}
	if cell[0] != '(' && cell[0] != '[' {
		cell = "[" + cell + "]"
	}
	p := sequence{text: cell, at: 1}
	var out []float64
	err := p.each(func() error {
		start := p.at
		for p.at < len(p.text) && !strings.ContainsRune(",)]", rune(p.text[p.at])) {
			p.at++
		}
		word := trim(p.text[start:p.at])
		v, why := parseNumber(word)
		if why != "" {
			return &cellError{start + 1, fmt.Sprintf("%.40q %s", word, why)}
		}
		if v < 0 {
			return &cellError{start + 1, fmt.Sprintf("the weight %v is negative", v)}
		}
		out = append(out, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func formatDistribution(weights []float64) string {
	words := make([]string, len(weights))
	for i, w := range weights {
		words[i] = formatNumber(w)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// sequence reads the one Python literal that tables hold:
//
//	sequence ::= open [ item { "," item } [ "," ] ] close
type sequence struct {
	text string // begins with the opening bracket
	at   int    // next byte
}

// each calls item at the start of every item, blanks skipped.
func (p *sequence) each(item func() error) error {
	closing := byte(')')
	if p.text[0] == '[' {
		closing = ']'
	}
	for {
		p.skip()
		if p.take(closing) {
			break
		}
		if err := item(); err != nil {
			return err
		}
		p.skip()
		if p.take(',') {
			continue
		}
		if p.take(closing) {
			break
		}
		return p.fail(fmt.Sprintf("expected , or %c", closing))
	}
	if p.at != len(p.text) {
		return p.fail("text after the closing bracket")
	}
	return nil
}

// quoted reads a Python string in either quote. The escapes are those that
// repr writes for printable text.
func (p *sequence) quoted() (string, error) {
	if p.at >= len(p.text) || (p.text[p.at] != '\'' && p.text[p.at] != '"') {
		return "", p.fail("expected a quoted SMILES")
	}
	open := p.at
	quote := p.text[p.at]
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			return b.String(), nil
		case c != '\\':
			b.WriteByte(c)
		case p.at+1 < len(p.text) && strings.IndexByte(`\'"`, p.text[p.at+1]) >= 0:
			p.at++
			b.WriteByte(p.text[p.at])
		default: // as Python, which keeps the backslash of an escape it lacks
			b.WriteByte(c)
		}
	}
	p.at = open
	return "", p.fail("a quote that is never closed")
}

func (p *sequence) skip() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

func (p *sequence) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *sequence) fail(reason string) error { return &cellError{p.at + 1, reason} }
