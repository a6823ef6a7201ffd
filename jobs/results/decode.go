package results

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"polyid-trainer/jobs/screenings"
)

// First returns the first n rows of encoded results, as the cells that they were
// encoded from; r has size bytes. It reads little more than those rows, of Parquet
// also the footer and a page of every column.
func First(f screenings.Format, c *screenings.Columns, r io.ReadSeeker, size int64, n int) (rows [][]string, err error) {
	switch f {
	case screenings.CSV:
		rows, err = firstCSV(r, n)
	case screenings.CSVGzip:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		return firstCSV(z, n)
	case screenings.NDJSON:
		rows, err = firstNDJSON(r, unique(c.Names), n)
	case screenings.Parquet:
		rows, err = firstParquet(r, size, len(c.Names), n)
	default:
		return nil, fmt.Errorf("%q is no format of results", f)
	}
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return rows, nil
}

func firstCSV(r io.Reader, n int) (rows [][]string, err error) {
	reader := csv.NewReader(r)
	if _, err := reader.Read(); err != nil {
		return nil, err
	}
	for len(rows) < n {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func firstNDJSON(r io.Reader, names []string, n int) (rows [][]string, err error) {
	for d := json.NewDecoder(r); len(rows) < n; {
		var values map[string]json.RawMessage
		err := d.Decode(&values)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		row := make([]string, len(names))
		for i, name := range names {
			v := values[name]
			switch {
			case len(v) == 0 || string(v) == "null":
			case v[0] == '"':
				err = json.Unmarshal(v, &row[i])
			default:
				row[i] = string(v)
			}
			if err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func firstParquet(r io.ReadSeeker, size int64, columns, n int) (rows [][]string, err error) {
	f, err := parquet.OpenFile(seeking{r}, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, err
	}
	for _, group := range f.RowGroups() {
		reader := group.Rows()
		for err == nil && len(rows) < n {
			var read int
			buffer := make([]parquet.Row, min(64, n-len(rows)))
			read, err = reader.ReadRows(buffer)
			for _, values := range buffer[:read] {
				row := make([]string, columns)
				for _, v := range values {
					if i := v.Column(); !v.IsNull() && i < columns {
						row[i] = v.String()
					}
				}
				rows = append(rows, row)
			}
		}
		if err := errors.Join(reader.Close(), notEOF(err)); err != nil {
			return nil, err
		}
		if err = nil; len(rows) == n {
			break
		}
	}
	return rows, nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// seeking reads at offsets, for one goroutine at a time.
type seeking struct{ io.ReadSeeker }

// ReadAt implements io.ReaderAt.
func (s seeking) ReadAt(p []byte, at int64) (int, error) {
	if _, err := s.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.ReadSeeker, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
