package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Sheet is a file as it came: cells of text. A prediction returns it
// with its columns unchanged.
type Sheet struct {
	Name   string            // of the file or data set; Defect.Source when several are read
	Header []string          // trimmed
	Rows   []Line            //
	Units  map[string]string // units the publisher states besides the columns, by header

	headerRow int       // as a spreadsheet shows it
	defects   []Defect  // of the header
	warnings  []Warning // of how the file was read

	stream *stream // nil where the sheet keeps all its rows
}

// Line is one row of a [Sheet]. It takes little more memory than its text.
type Line struct {
	Row int // as a spreadsheet shows it

	text   string // the cells, a cellBreak between each two
	cells  int32
	broken *Defect // of syntax: there are no cells
}

// cellBreak is no part of UTF-8, and so of no cell.
const cellBreak = "\xff"

func newLine(row int, cells []string) Line {
	return Line{Row: row, text: strings.Join(cells, cellBreak), cells: int32(len(cells))}
}

// Len is the number of cells, which may be less or more than the header has.
func (l Line) Len() int { return int(l.cells) }

// AppendCells appends the row's cells.
func (l Line) AppendCells(to []string) []string {
	if l.cells == 0 {
		return to
	}
	start := 0
	for i := range len(l.text) {
		if l.text[i] == cellBreak[0] {
			to = append(to, l.text[start:i])
			start = i + 1
		}
	}
	return append(to, l.text[start:])
}

// Cell is the text of a column, "" where the row has none. It costs the cells
// before it: to look at all, use AppendCells.
func (l Line) Cell(column int) string {
	if column < 0 || column >= int(l.cells) {
		return ""
	}
	rest := l.text
	for range column {
		_, rest, _ = strings.Cut(rest, cellBreak)
	}
	cell, _, _ := strings.Cut(rest, cellBreak)
	return cell
}

// Options bound what is read and say what is done about defects. The zero value
// is a training file under the documented limits.
type Options struct {
	MaxBytes   int64 // of the file, packed or unpacked; 0 is 100 MB
	MaxRows    int   // of data; 0 is 200,000
	MaxColumns int   // 0 is 1,000
	MaxRecord  int   // bytes of one row; 0 is 1 MB
	MaxCell    int   // bytes of one cell; 0 is 100 kB

	// MaxTargets is how many columns become targets that nobody asked for; 0 is
	// 64. A table holds a number for each of its rows and targets.
	MaxTargets int

	// AllNumbers takes every numeric column for a target, one that looks like
	// serial numbers, years or a constant too. Tables that [Table.WriteCSV] wrote
	// are read so.
	AllNumbers bool

	// MinValues is how few measured values make a target one that cannot be
	// learned; 0 is 10, two for each of five folds.
	MinValues int

	// MaxDefects is how many defects of rows are listed; the rest are counted.
	// 0 is 10,000: a hostile file has one every other byte.
	MaxDefects int

	// DropBadRows leaves out rows with defects and reports them in
	// Report.Dropped. Without it one defect refuses the file.
	DropBadRows bool

	// Keep are the headers of columns whose cells go into Table.Kept as they are. A
	// table without one has none of it.
	Keep []string

	// ForPrediction reads inputs of a prediction: targets are optional, every
	// row is kept where it is, and defects are reported row by row but refuse
	// nothing. Bad target cells count as unmeasured, with a defect.
	ForPrediction bool

	// Mechanisms lists those that monomers may be polymerised by; nil is any.
	Mechanisms []string

	// Check judges SMILES; nil believes all. It is called once per distinct
	// text, from several goroutines at once. If its error has a method
	// Position() int, that is the defect's 1-based position.
	Check func(n Notation, smiles string) error

	// Identify names the polymer that a repeat unit stands for, however it is
	// written; nil or "" goes by the text. It is called once per distinct text, from
	// several goroutines at once.
	Identify func(repeatUnit string) string

	// Recognize says what a cell would be as a structure, "" for none; nil
	// recognizes nothing. It finds the column of structures where no header does,
	// and is asked about a sample of each column's cells.
	Recognize func(cell string) Notation
}

// Limits of API.md; the number of columns is this package's own and keeps rows
// times columns in proportion to a file's bytes.
const (
	defaultMaxBytes   = 100 << 20
	defaultMaxRows    = 200_000
	defaultMaxColumns = 1000
	defaultMaxRecord  = 1 << 20
	defaultMaxCell    = 100_000
	defaultMaxTargets = 64
	defaultMinValues  = 10
	defaultMaxDefects = 10_000
)

// maxName bounds a column's name in bytes, since every defect repeats it.
const maxName = 256

// WithDefaults fills what is unset.
func (o Options) WithDefaults() Options {
	o.MaxBytes = orDefault(o.MaxBytes, defaultMaxBytes)
	o.MaxRows = orDefault(o.MaxRows, defaultMaxRows)
	o.MaxColumns = orDefault(o.MaxColumns, defaultMaxColumns)
	o.MaxRecord = orDefault(o.MaxRecord, defaultMaxRecord)
	o.MaxCell = orDefault(o.MaxCell, defaultMaxCell)
	o.MaxTargets = orDefault(o.MaxTargets, defaultMaxTargets)
	o.MinValues = orDefault(o.MinValues, defaultMinValues)
	o.MaxDefects = orDefault(o.MaxDefects, defaultMaxDefects)
	return o
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// ReadSheet reads CSV, gzipped CSV or the first sheet of an .xlsx, told apart
// by its first bytes. It fails with [ErrFormat], [ErrTooLarge] or the reader's
// error; defects of syntax wait in the sheet for [Parse].
func ReadSheet(r io.Reader, name string, o Options) (*Sheet, error) {
	o = o.WithDefaults()
	s := &Sheet{Name: name}
	if err := s.read(limit(r, o.MaxBytes), o, true); err != nil {
		if name != "" {
			return nil, fmt.Errorf("read table %s: %w", name, err)
		}
		return nil, fmt.Errorf("read table: %w", err)
	}
	s.checkHeader()
	return s, nil
}

// read dispatches on the magic number; one layer of gzip is unpacked.
func (s *Sheet) read(r io.Reader, o Options, packed bool) error {
	b := bufio.NewReaderSize(r, sniffBytes)
	head, err := b.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := foreign(head); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")) && packed:
		z, err := gzip.NewReader(b)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrFormat, err)
		}
		return s.read(limit(gzipErrors{z}, o.MaxBytes), o, false)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return s.readXLSX(b, o)
	case bytes.IndexByte(head, 0) >= 0:
		return fmt.Errorf("%w: binary content", ErrFormat)
	}
	return s.readCSV(b, head, o)
}

// gzipErrors files a broken archive under ErrFormat.
type gzipErrors struct{ io.Reader }

func (g gzipErrors) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: broken gzip: %v", ErrFormat, err)
	}
	return n, err
}

// limited fails with ErrTooLarge once more than left bytes were read.
type limited struct {
	r          io.Reader
	left, most int64
}

func limit(r io.Reader, n int64) io.Reader { return &limited{r, n, n} }

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, l.most)
	}
	return n, err
}

// append adds a row that has any text, within the limits. Cells are not kept.
func (s *Sheet) append(row int, cells []string, o Options) error {
	filled := 0
	for _, c := range cells {
		if c != "" && trim(c) != "" {
			filled++
		}
		if len(c) > o.MaxCell {
			return fmt.Errorf("%w: row %d has a cell of more than %d bytes", ErrTooLarge, row, o.MaxCell)
		}
	}
	if filled == 0 {
		return nil
	}
	if s.isTitle(cells, filled) {
		s.warn("title_skipped", "what stands above row %d, beginning with %.60q, is read as a title: that row names the columns", row, strings.Join(s.Header, " "))
		s.Header, s.Rows = nil, nil
	}
	switch {
	case len(cells) > o.MaxColumns:
		return fmt.Errorf("%w: row %d has more than %d columns", ErrTooLarge, row, o.MaxColumns)
	case s.Header == nil && slices.ContainsFunc(cells, func(c string) bool { return len(c) > maxName }):
		return fmt.Errorf("%w: a column name of more than %d bytes", ErrTooLarge, maxName)
	case s.Header == nil:
		s.Header, s.headerRow = make([]string, len(cells)), row
		for i, c := range cells {
			s.Header[i] = strings.Clone(trim(c))
		}
		return nil
	case s.count() == 0 && s.unitRow(cells):
		return nil
	case s.count() == o.MaxRows:
		return fmt.Errorf("%w: more than %d rows", ErrTooLarge, o.MaxRows)
	}
	return s.add(newLine(row, cells))
}

// titleRows is how far below the top of a file its header may be.
const titleRows = 5

// isTitle says that what was taken for the header is a title above it: it names
// no structure where this row does, or it is a single name above a wider row.
func (s *Sheet) isTitle(cells []string, filled int) bool {
	if s.Header == nil || s.count() > titleRows || slices.ContainsFunc(s.Header, namesStructure) {
		return false
	}
	if filled > 1 && slices.ContainsFunc(cells, namesStructure) {
		return true
	}
	names := 0
	for _, h := range s.Header {
		if h != "" {
			names++
		}
	}
	return names == 1 && filled > 1 && s.count() == 0
}

// namesStructure says that a header is that of a column of structures.
func namesStructure(header string) bool {
	f := fold(header)
	for _, r := range []role{rolePolymer, roleRepeatUnit, roleMonomers} {
		if slices.Contains(roleNames[r], f) {
			return true
		}
	}
	return len(f) <= len("canonicalsmilesstring") && strings.Contains(f, "smiles")
}

// unitRow says whether a row below the header holds nothing but units of measured
// columns, and puts them into the header.
func (s *Sheet) unitRow(cells []string) bool {
	if len(cells) > len(s.Header) {
		return false
	}
	found := make(map[int]string)
	telling := false // of a unit that is no SMILES
	for i, c := range cells {
		c = trim(c)
		if isBlank(c) {
			continue
		}
		unit, ok := knownUnit(c)
		if !ok || isReserved(s.Header[i]) {
			return false
		}
		telling = telling || len(c) > 1
		found[i] = unit
	}
	for i, unit := range found {
		if telling {
			s.Header[i] += " (" + unit + ")"
		}
	}
	return telling
}

// checkHeader reports an empty file.
func (s *Sheet) checkHeader() {
	if s.Header == nil {
		s.defect(Defect{Code: NoHeader, Reason: "the file is empty: its first row should name the columns"})
	}
}

func (s *Sheet) defect(d Defect) { s.defects = append(s.defects, d) }

func (s *Sheet) warn(code, format string, args ...any) {
	s.warnings = append(s.warnings, Warning{code, fmt.Sprintf(format, args...)})
}
