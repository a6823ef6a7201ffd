package pipeline

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
)

// chains are the chains of a job's rows, row by row: a JSON array for a row whose
// chains were grown, null for one that states its chain; a line each, compressed
// with gzip. A job grows its chains once: every attempt, on whatever version of
// this program, learns from the same.
type chains []byte

// each yields the chains of every row in order, nil for a row that states its own.
func (c chains) each() iter.Seq2[[]structure.Chain, error] {
	return func(yield func([]structure.Chain, error) bool) {
		plain, err := gzip.NewReader(bytes.NewReader(c))
		if err != nil {
			yield(nil, fmt.Errorf("reading the chains: %w", err))
			return
		}
		for dec := json.NewDecoder(plain); ; {
			var row []structure.Chain
			err := dec.Decode(&row)
			switch {
			case err == io.EOF:
				return
			case err != nil:
				yield(nil, fmt.Errorf("reading the chains: %w", err))
				return
			case !yield(row, nil):
				return
			}
		}
	}
}

// record yields rows as they come, and leaves them in c at their end.
func (c *chains) record(rows iter.Seq2[[]structure.Chain, error]) iter.Seq2[[]structure.Chain, error] {
	return func(yield func([]structure.Chain, error) bool) {
		var out bytes.Buffer
		packed := gzip.NewWriter(&out)
		enc := json.NewEncoder(packed)
		for row, err := range rows {
			if err == nil {
				err = enc.Encode(row)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
		if err := packed.Close(); err != nil {
			yield(nil, err)
			return
		}
		*c = out.Bytes()
	}
}

// packed are the chains of rows.
func packed(rows [][]structure.Chain) (c chains, err error) {
	for _, wrong := range c.record(func(yield func([]structure.Chain, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}) {
		err = errors.Join(err, wrong)
	}
	return c, err
}

// growTogether is how many rows are grown on all cores before they are yielded.
const growTogether = 1024

// grow yields the chains of every row of t, on all cores. All rows at fault are in
// the error that it ends with.
func grow(ctx context.Context, g structure.Grower, t *data.Table) iter.Seq2[[]structure.Chain, error] {
	return func(yield func([]structure.Chain, error) bool) {
		var bad []error
		at := 0
		for from := 0; from < t.Rows(); from += growTogether {
			part := t.Structures[from:min(from+growTogether, t.Rows())]
			grown, errs := make([][]structure.Chain, len(part)), make([]error, len(part))
			var all errgroup.Group
			all.SetLimit(runtime.GOMAXPROCS(0))
			const share = 32
			for lo := 0; lo < len(part); lo += share {
				all.Go(func() error {
					for i := lo; i < min(lo+share, len(part)); i++ {
						if part[i].Notation() != data.Polymer {
							grown[i], errs[i] = g.Grow(&part[i])
						}
					}
					return context.Cause(ctx)
				})
			}
			if err := all.Wait(); err != nil {
				yield(nil, err)
				return
			}
			for i, err := range errs {
				if err != nil {
					if bad == nil {
						at = from + i
					}
					bad = append(bad, fmt.Errorf("row %d: %w", from+i, err))
				}
				if bad == nil && !yield(grown[i], nil) {
					return
				}
			}
		}
		if bad != nil {
			yield(nil, &failed{jobs.Failure{Code: "invalid_structure", Detail: "no chain can be grown: " + several(bad), Row: &at}})
		}
	}
}

// several writes the first errors and the number of the rest.
func several(errs []error) string {
	const shown = 3
	text := errors.Join(errs[:min(shown, len(errs))]...).Error()
	if len(errs) > shown {
		text += fmt.Sprintf("\nand %d more", len(errs)-shown)
	}
	return text
}
