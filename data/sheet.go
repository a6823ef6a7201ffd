package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Sheet is a file as it came: cells of text. It keeps what a prediction must
// hand back unchanged.
type Sheet struct {
	Name   string            // of the file or data set; Defect.Source when several are read
	Header []string          // trimmed
	Rows   []Line            //
	Units  map[string]string // units the publisher states besides the columns, by header

	headerRow int      // as a spreadsheet shows it
	defects   []Defect // of the header
}

// Line is one row of a [Sheet].
type Line struct {
	Row   int      // as a spreadsheet shows it
	Cells []string // may be shorter or longer than the header

	broken *Defect // of syntax: there are no cells
}

// Cell is the text of a column, "" where the row has none.
func (l Line) Cell(column int) string {
	if column < 0 || column >= len(l.Cells) {
		return ""
	}
	return l.Cells[column]
}

// Options bound what is read and say what is done about defects. The zero value
// is a training file under the documented limits.
type Options struct {
	MaxBytes   int64 // of the file, packed or unpacked; 0 is 100 MB
	MaxRows    int   // of data; 0 is 200,000
	MaxColumns int   // 0 is 1,000

	// MinValues is how few measured values make a target one that cannot be
	// learned; 0 is 10, two for each of five folds.
	MinValues int

	// MaxDefects is how many defects of rows are listed; the rest are counted.
	// 0 is 10,000: a hostile file has one every other byte.
	MaxDefects int

	// DropBadRows leaves out rows with defects and reports them in
	// Report.Dropped. Without it one defect refuses the file.
	DropBadRows bool

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
}

// Limits of API.md; the number of columns is this package's own and keeps rows
// times columns in proportion to a file's bytes.
const (
	defaultMaxBytes   = 100 << 20
	defaultMaxRows    = 200_000
	defaultMaxColumns = 1000
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
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")) && packed:
		z, err := gzip.NewReader(b)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrFormat, err)
		}
		return s.read(limit(gzipErrors{z}, o.MaxBytes), o, false)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return s.readXLSX(b, o)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return fmt.Errorf("%w: an .xls or password-protected workbook; save it as .xlsx or CSV", ErrFormat)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return fmt.Errorf("%w: UTF-16 text; save it as CSV UTF-8", ErrFormat)
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

// append adds a row that has any text, within the limits.
func (s *Sheet) append(l Line, o Options) error {
	switch {
	case l.broken == nil && !slices.ContainsFunc(l.Cells, func(c string) bool { return trim(c) != "" }):
		return nil
	case len(l.Cells) > o.MaxColumns:
		return fmt.Errorf("%w: row %d has more than %d columns", ErrTooLarge, l.Row, o.MaxColumns)
	case s.Header == nil && slices.ContainsFunc(l.Cells, func(c string) bool { return len(c) > maxName }):
		return fmt.Errorf("%w: a column name of more than %d bytes", ErrTooLarge, maxName)
	case s.Header == nil:
		s.Header, s.headerRow = trimAll(l.Cells), l.Row
		return nil
	case len(s.Rows) == o.MaxRows:
		return fmt.Errorf("%w: more than %d rows", ErrTooLarge, o.MaxRows)
	}
	s.Rows = append(s.Rows, l)
	return nil
}

// checkHeader reports an empty file and names that stand twice.
func (s *Sheet) checkHeader() {
	if s.Header == nil {
		s.defect(Defect{Code: NoHeader, Reason: "the file is empty: its first row should name the columns"})
		return
	}
	seen := make(map[string]bool, len(s.Header))
	for _, h := range s.Header {
		if h != "" && seen[h] {
			s.defect(Defect{Row: s.headerRow, Column: h, Code: DuplicateHeader, Reason: "two columns have this name"})
		}
		seen[h] = true
	}
}

func (s *Sheet) defect(d Defect) { s.defects = append(s.defects, d) }
