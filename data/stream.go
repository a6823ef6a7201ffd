package data

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// stream is where the rows of a sheet go that is larger than memory.
type stream struct {
	rows   int // of a block
	before int // rows that were emitted
	emit   func(*Sheet) error
}

// Stream reads what [ReadSheet] reads and calls emit with the rows, so many at a
// time, as sheets of their own, which emit may keep. No more rows than those are
// held, except of an .xlsx, which is bounded as ever. An error of emit ends the
// reading. A table without rows is emitted once, empty.
func Stream(r io.Reader, name string, rows int, o Options, emit func(*Sheet) error) error {
	o = o.WithDefaults()
	s := &Sheet{Name: name, stream: &stream{rows: rows, emit: emit}}
	if err := s.read(limit(r, o.MaxBytes), o, true); err != nil {
		return fmt.Errorf("read table %s: %w", name, err)
	}
	s.checkHeader()
	if len(s.Rows) > 0 || s.count() == 0 {
		return s.flush()
	}
	return nil
}

// count is how many rows were read.
func (s *Sheet) count() int {
	if s.stream == nil {
		return len(s.Rows)
	}
	return s.stream.before + len(s.Rows)
}

// add adds a row, and passes a full block on.
func (s *Sheet) add(l Line) error {
	// The first rows may turn out to be a title and a header.
	if s.stream != nil && len(s.Rows) >= max(s.stream.rows, titleRows+1) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.Rows = append(s.Rows, l)
	return nil
}

// flush emits the rows that are held.
func (s *Sheet) flush() error {
	block := *s
	block.stream = nil
	s.stream.before += len(s.Rows)
	s.Rows = make([]Line, 0, len(s.Rows))
	return s.stream.emit(&block)
}

// Block is a sheet of some rows of another one with this header.
func Block(header []string, rows []Line) *Sheet { return &Sheet{Header: header, Rows: rows} }

// NewLine is a row of cells, as a spreadsheet would number it.
func NewLine(row int, cells []string) Line { return newLine(row, cells) }

// Broken is the defect of a row whose cells cannot be told apart, nil of others.
func (l Line) Broken() *Defect { return l.broken }

// AppendBinary appends the row in a form that ReadLine reads back.
func (l Line) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(l.Row))
	text := l.text
	if l.broken != nil {
		defect, err := json.Marshal(l.broken)
		if err != nil {
			return nil, err
		}
		b, text = binary.AppendUvarint(b, 0), string(defect)
	} else {
		b = binary.AppendUvarint(b, uint64(l.cells)+1)
	}
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...), nil
}

var errLine = errors.New("a stored row is cut off, or is none")

// ReadLine reads a row that AppendBinary wrote, and what follows it.
func ReadLine(b []byte) (l Line, rest []byte, err error) {
	var numbers [3]uint64
	for i := range numbers {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return l, nil, errLine
		}
		numbers[i], b = v, b[n:]
	}
	row, cells, length := numbers[0], numbers[1], numbers[2]
	if length > uint64(len(b)) || cells > maxWidth+1 {
		return l, nil, errLine
	}
	text := string(b[:length])
	l.Row = int(row)
	switch {
	case cells == 0:
		l.broken = &Defect{}
		if err := json.Unmarshal([]byte(text), l.broken); err != nil {
			return l, nil, fmt.Errorf("%w: %w", errLine, err)
		}
	case strings.Count(text, cellBreak) != max(0, int(cells)-2):
		return l, nil, errLine
	default:
		l.text, l.cells = text, int32(cells-1)
	}
	return l, b[length:], nil
}

// Roles finds the columns that say what the polymers are, by c, by their names, or
// by their cells, as [Parse] does, and what is wrong with the header.
func (s *Sheet) Roles(c Columns, o Options) (found Roles, defects []Defect) {
	p := newParser([]*Sheet{s}, c.WithDefaults(), o.WithDefaults())
	l := &layout{sheet: s}
	if len(s.Header) == 0 {
		return found, s.defects
	}
	l.profiles = profiles(s)
	p.findRoles(l)
	l.checkTwice(p)
	headers := found.fields()
	for r, column := range l.role {
		if column >= 0 {
			*headers[r] = s.Header[column]
		}
	}
	return found, append(s.defects, p.report.Defects...)
}

// CountNumbers counts, by column, the filled cells that are numbers and those that
// are not.
func (s *Sheet) CountNumbers() (numbers, others []int) {
	numbers, others = make([]int, len(s.Header)), make([]int, len(s.Header))
	for i, p := range profiles(s) {
		numbers[i], others[i] = p.values, p.filled-p.values
	}
	return numbers, others
}

// Number reads a cell that is a number and nothing else.
func Number(cell string) (float64, bool) { return decimal(trim(cell)) }
