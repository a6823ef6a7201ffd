package data

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// sniffBytes is how much of a file is looked at to tell what it is; a header
// longer than this is read with commas.
const sniffBytes = 64 << 10

// readCSV reads rows until the end. A row with broken quotes is a defect and
// the next line goes on, so that one report lists them all.
func (s *Sheet) readCSV(r io.Reader, head []byte, o Options) error {
	b := skipBOM(r)
	c := csv.NewReader(b)
	c.FieldsPerRecord = -1
	c.Comma = sniffComma(head)
	c.TrimLeadingSpace = c.Comma != '\t' // it would eat empty cells
	row, line := 0, 1                    // of the last record; first line of the next
	for {
		cells, err := c.Read()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &syntax):
			row += 1 + max(0, syntax.StartLine-line)
			line = syntax.Line + 1
			d := Defect{Row: row, Code: BadSyntax, Reason: syntax.Err.Error(), Position: syntax.Column}
			if s.Header == nil { // nothing below can be named
				s.Header = []string{}
				s.defect(d)
				return nil
			}
			if err := s.append(Line{Row: row, broken: &d}, o); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		// encoding/csv skips blank lines; a spreadsheet numbers them.
		start, _ := c.FieldPos(0)
		row += 1 + max(0, start-line)
		line = start + 1 + breaks(cells)
		for i, cell := range cells {
			if !utf8.ValidString(cell) {
				cells[i] = fromLatin1(cell)
			}
		}
		if s.Header != nil {
			cells = cutBlankTail(cells, len(s.Header))
		}
		if err := s.append(Line{Row: row, Cells: cells}, o); err != nil {
			return err
		}
	}
}

// skipBOM drops a UTF-8 byte order mark, which would stick to the first name.
func skipBOM(r io.Reader) io.Reader {
	var first [3]byte
	n, _ := io.ReadFull(r, first[:])
	head := bytes.TrimPrefix(first[:n], []byte("\xef\xbb\xbf"))
	return io.MultiReader(bytes.NewReader(head), r)
}

// sniffComma takes the commonest of comma, semicolon and tab outside quotes in
// the first line that has any text.
func sniffComma(head []byte) rune {
	var n [256]int
	quoted := false
	for _, c := range bytes.TrimLeft(head, "\r\n\xef\xbb\xbf") {
		if c == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if c == '\n' || c == '\r' {
			break
		}
		n[c]++
	}
	best := ','
	for _, c := range ";\t" {
		if n[c] > n[best] {
			best = c
		}
	}
	return best
}

// breaks counts the line breaks inside quoted cells.
func breaks(cells []string) int {
	n := 0
	for _, c := range cells {
		n += strings.Count(c, "\n")
	}
	return n
}

// cutBlankTail drops empty cells beyond the header, which spreadsheets leave.
func cutBlankTail(cells []string, n int) []string {
	for len(cells) > n && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

// fromLatin1 reads text that is no UTF-8 as ISO 8859-1, whose only letter in
// such tables is the degree sign.
func fromLatin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
