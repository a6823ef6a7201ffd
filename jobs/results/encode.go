package results

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"polyid-trainer/jobs/expression"
	"polyid-trainer/jobs/screenings"
)

// Encoder writes rows of results in a format.
type Encoder interface {
	// Write writes one row: as many cells as there are columns.
	Write(cells []string) error
	// Close ends what is written; the writer below stays open.
	Close() error
}

// NewEncoder makes the encoder of a format for columns.
func NewEncoder(f screenings.Format, c *screenings.Columns, w io.Writer) (Encoder, error) {
	switch f {
	case screenings.CSV:
		return newCSV(c, w)
	case screenings.CSVGzip:
		z := gzip.NewWriter(w) // without a time or a name: equal rows are equal bytes
		e, err := newCSV(c, z)
		if err != nil {
			return nil, err
		}
		return &packed{e, z}, nil
	case screenings.NDJSON:
		return newNDJSON(c, w)
	case screenings.Parquet:
		return newParquet(c, w)
	}
	return nil, fmt.Errorf("%q is no format of results", f)
}

// packed is an encoder into gzip.
type packed struct {
	Encoder
	z *gzip.Writer
}

// Close implements Encoder.
func (p *packed) Close() error {
	if err := p.Encoder.Close(); err != nil {
		return err
	}
	return p.z.Close()
}

type csvEncoder struct{ *csv.Writer }

func newCSV(c *screenings.Columns, w io.Writer) (Encoder, error) {
	e := csvEncoder{csv.NewWriter(w)}
	return e, e.Write(c.Names)
}

// Close implements Encoder.
func (e csvEncoder) Close() error {
	e.Flush()
	return e.Error()
}

// ndjson writes an object a line: numbers, truths and text as what they are, and
// what there is none of as null.
type ndjson struct {
	w     *bufio.Writer
	names [][]byte
	kinds []expression.Kind
	line  []byte
}

func newNDJSON(c *screenings.Columns, w io.Writer) (Encoder, error) {
	e := &ndjson{w: bufio.NewWriterSize(w, 64<<10), kinds: c.Kinds}
	for _, name := range unique(c.Names) {
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		e.names = append(e.names, quoted)
	}
	return e, nil
}

// Write implements Encoder.
func (e *ndjson) Write(cells []string) error {
	line := append(e.line[:0], '{')
	for i, c := range cells {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(append(line, e.names[i]...), ':')
		line = appendValue(line, c, e.kinds[i])
	}
	e.line = append(line, '}', '\n')
	_, err := e.w.Write(e.line)
	return err
}

// appendValue writes a cell as JSON.
func appendValue(b []byte, cell string, k expression.Kind) []byte {
	switch k {
	case expression.Number:
		if v, err := strconv.ParseFloat(cell, 64); err == nil && v-v == 0 {
			return strconv.AppendFloat(b, v, 'g', -1, 64)
		}
		return append(b, "null"...)
	case expression.Truth:
		if cell == "true" || cell == "false" {
			return append(b, cell...)
		}
		return append(b, "null"...)
	}
	plain := true
	for i := range len(cell) {
		if c := cell[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(b, '"'), cell...), '"')
	}
	quoted, err := json.Marshal(cell)
	if err != nil { // no string fails
		return append(b, "null"...)
	}
	return append(b, quoted...)
}

// Close implements Encoder.
func (e *ndjson) Close() error { return e.w.Flush() }

// unique makes names that stand for one column each, where a table repeats them.
func unique(names []string) []string {
	seen := map[string]bool{}
	out := make([]string, len(names))
	for i, n := range names {
		name := n
		for k := 2; seen[name]; k++ {
			name = fmt.Sprintf("%s_%d", n, k)
		}
		seen[name] = true
		out[i] = name
	}
	return out
}
