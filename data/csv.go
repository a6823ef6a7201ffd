package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// sniffBytes is how much of a file is looked at to tell what it is; a header
// longer than this is read with commas.
const sniffBytes = 64 << 10

// maxWidth is how many cells a row may have before its blank tail is cut, that of
// a spreadsheet.
const maxWidth = 16384

// readCSV reads rows until the end. A row with broken quotes is a defect and
// the next line goes on, so that one report lists them all.
func (s *Sheet) readCSV(r *bufio.Reader, head []byte, o Options) error {
	var b io.Reader = skipBOM(r)
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		b = &newlines{b} // of a Macintosh
		head = bytes.ReplaceAll(head, []byte("\r"), []byte("\n"))
	}
	comma, stated := statedComma(head)
	if !stated {
		comma = sniffComma(head)
	}
	c := csv.NewReader(&records{r: b, comma: byte(comma), maxBytes: o.MaxRecord, line: 1, state: fieldStart})
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	c.Comma = comma
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
			if s.count() == o.MaxRows {
				return fmt.Errorf("%w: more than %d rows", ErrTooLarge, o.MaxRows)
			}
			if err := s.add(Line{Row: row, broken: &d}); err != nil {
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
		if stated { // the line that states the separator is no row
			stated = false
			continue
		}
		for i, cell := range cells {
			if cell != "" && !utf8.ValidString(cell) {
				cells[i] = fromLatin1(cell)
			}
		}
		if s.Header != nil {
			cells = cutBlankTail(cells, len(s.Header))
		}
		if err := s.append(row, cells, o); err != nil {
			return err
		}
	}
}

// CountRows counts the rows of a CSV with commas below its header, -1 if there is
// none, without looking at what they mean. A record that is longer or wider than
// [ReadSheet] takes is an error with [ErrTooLarge], and text that is no CSV one
// with [ErrFormat].
func CountRows(r io.Reader) (int, error) {
	c := csv.NewReader(&records{r: r, comma: ',', maxBytes: defaultMaxRecord, line: 1, state: fieldStart})
	c.ReuseRecord, c.FieldsPerRecord, c.LazyQuotes = true, -1, true
	for n := -1; ; n++ {
		_, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case errors.As(err, new(*csv.ParseError)):
			return 0, fmt.Errorf("%w: %v", ErrFormat, err)
		case err != nil:
			return 0, err
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

// newlines reads carriage returns as line feeds.
type newlines struct{ r io.Reader }

func (n *newlines) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	for i, c := range p[:k] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return k, err
}

// records fails with ErrTooLarge at a record that is too long or too wide, before
// anything is allocated for it. It follows quotes as encoding/csv does.
type records struct {
	r        io.Reader
	comma    byte
	maxBytes int

	state       quoting
	bytes, wide int // of the record so far
	line        int
}

type quoting uint8

const (
	fieldStart quoting = iota
	plain
	quoted
	quoteInQuoted
)

func (r *records) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for _, c := range p[:n] {
		r.bytes++
		switch {
		case c == '"' && (r.state == fieldStart || r.state == quoteInQuoted):
			r.state = quoted
		case r.state == quoted:
			if c == '"' {
				r.state = quoteInQuoted
			}
		case c == '\n':
			r.state, r.bytes, r.wide = fieldStart, 0, 0
		case c == r.comma:
			r.wide++
			r.state = fieldStart
		case r.state == fieldStart && (c == ' ' || c == '\t'):
		default:
			r.state = plain
		}
		if c == '\n' {
			r.line++
		}
		if r.bytes > r.maxBytes {
			return 0, fmt.Errorf("%w: the row at line %d has more than %d bytes", ErrTooLarge, r.line, r.maxBytes)
		}
		if r.wide >= maxWidth {
			return 0, fmt.Errorf("%w: the row at line %d has more than %d columns", ErrTooLarge, r.line, maxWidth)
		}
	}
	return n, err
}

const commas = ",;\t|"

// statedComma is the separator that a first line such as "sep=;" states, as
// spreadsheets write and read it.
func statedComma(head []byte) (comma rune, ok bool) {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	line = bytes.Trim(bytes.TrimRight(line, "\r"), `"`)
	if len(line) != 5 || !bytes.EqualFold(line[:4], []byte("sep=")) || !strings.ContainsRune(commas, rune(line[4])) {
		return 0, false
	}
	return rune(line[4]), true
}

// sniffComma takes that separator by which most of the first lines agree on how
// many cells they have, and of those the one that makes the most cells.
func sniffComma(head []byte) rune {
	const lines = 20
	var counts [lines][256]int
	n, quoted := 0, false
	for _, c := range bytes.TrimLeft(head, "\r\n") {
		if c == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if c == '\n' {
			if n++; n == lines {
				break
			}
			continue
		}
		counts[n][c]++
	}
	n = min(n+1, lines)
	best, most := ',', 0
	for _, c := range commas {
		agree, cells := 0, 0
		for i := range n {
			same := 0
			for k := range n {
				if counts[i][c] > 0 && counts[k][c] == counts[i][c] {
					same++
				}
			}
			if same > agree {
				agree, cells = same, counts[i][c]
			}
		}
		if score := agree*1000 + min(cells, 999); agree > 0 && score > most {
			best, most = c, score
		}
	}
	return best
}

// breaks counts the line breaks inside quoted cells.
func breaks(cells []string) int {
	n := 0
	for _, c := range cells {
		if c != "" {
			n += strings.Count(c, "\n")
		}
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

// fromLatin1 reads text that is no UTF-8 as ISO 8859-1, whose only letters in
// such tables are the degree sign and the plus-minus sign.
func fromLatin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
