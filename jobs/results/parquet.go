package results

import (
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"polyid-trainer/jobs/expression"
	"polyid-trainer/jobs/screenings"
)

const (
	groupRows = 50_000    // of a row group, which is held in memory
	pageSize  = 256 << 10 // bytes
)

// parquetEncoder writes columns of doubles, booleans and strings, each of which may
// be null.
type parquetEncoder struct {
	w     *parquet.GenericWriter[any]
	kinds []expression.Kind
	row   parquet.Row
}

func newParquet(c *screenings.Columns, w io.Writer) (Encoder, error) {
	group := ordered{Group: parquet.Group{}, names: unique(c.Names)}
	for i, name := range group.names {
		var leaf parquet.Node
		switch c.Kinds[i] {
		case expression.Number:
			leaf = parquet.Leaf(parquet.DoubleType)
		case expression.Truth:
			leaf = parquet.Leaf(parquet.BooleanType)
		default:
			leaf = parquet.String()
		}
		group.Group[name] = parquet.Optional(leaf)
	}
	return &parquetEncoder{kinds: c.Kinds, w: parquet.NewGenericWriter[any](w, parquet.NewSchema("results", group),
		parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(groupRows), parquet.PageBufferSize(pageSize),
		parquet.CreatedBy("polyid-trainer", "1", ""))}, nil
}

// ordered is a group whose fields are in an order of their own: parquet.Group sorts
// them by name.
type ordered struct {
	parquet.Group
	names []string
}

// Fields implements parquet.Node.
func (o ordered) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range o.Group.Fields() {
		byName[f.Name()] = f
	}
	fields := make([]parquet.Field, len(o.names))
	for i, n := range o.names {
		fields[i] = byName[n]
	}
	return fields
}

// Write implements Encoder.
func (e *parquetEncoder) Write(cells []string) error {
	e.row = e.row[:0]
	for i, c := range cells {
		v, ok := valueOf(c, e.kinds[i])
		level := 0
		if ok {
			level = 1
		}
		e.row = append(e.row, v.Level(0, level, i))
	}
	_, err := e.w.WriteRows([]parquet.Row{e.row})
	return err
}

// valueOf is a cell's value; ok is false if it is null.
func valueOf(cell string, k expression.Kind) (v parquet.Value, ok bool) {
	switch k {
	case expression.Number:
		x, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			return parquet.NullValue(), false
		}
		return parquet.DoubleValue(x), true
	case expression.Truth:
		x, err := strconv.ParseBool(cell)
		if err != nil {
			return parquet.NullValue(), false
		}
		return parquet.BooleanValue(x), true
	}
	return parquet.ByteArrayValue([]byte(cell)), true
}

// Close implements Encoder.
func (e *parquetEncoder) Close() error { return e.w.Close() }
