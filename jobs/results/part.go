package results

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
)

// Head is what a part says of itself.
type Head struct {
	screenings.Tally
	Results int `json:"results"` // rows in the part
}

// maxRow bounds a row of a part, in bytes.
const maxRow = 16 << 20

// EncodePart makes the object of a part.
func EncodePart(h Head, rows []screenings.Row) ([]byte, error) {
	h.Results = len(rows)
	body, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	var row []byte
	for i := range rows {
		row = appendRow(row[:0], &rows[i])
		body = binary.AppendUvarint(body, uint64(len(row)))
		body = append(body, row...)
	}
	return body, nil
}

// appendRow writes key, front and cells.
func appendRow(b []byte, r *screenings.Row) []byte {
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r.Key.Number))
	b = appendText(b, r.Key.Text)
	b = binary.AppendUvarint(b, uint64(len(r.Front)))
	for _, v := range r.Front {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	b = binary.AppendUvarint(b, uint64(len(r.Cells)))
	for _, c := range r.Cells {
		b = appendText(b, c)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errRow is of a part that is not what was written.
var errRow = errors.New("a row of the results is cut off, or is none")

// rowReader reads what appendRow wrote.
type rowReader struct {
	b   []byte
	err error
}

func (r *rowReader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.b)) {
		r.err, n = errRow, 0
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *rowReader) number() float64 {
	if b := r.take(8); len(b) == 8 {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *rowReader) count() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.err != nil || n <= 0 || v > maxRow {
		r.err = errRow
		return 0
	}
	r.b = r.b[n:]
	return v
}

func readRow(b []byte) (out screenings.Row, err error) {
	r := &rowReader{b: b}
	out.Key.Number = r.number()
	out.Key.Text = string(r.take(r.count()))
	for range r.count() {
		out.Front = append(out.Front, r.number())
		if r.err != nil {
			return out, r.err
		}
	}
	n := r.count()
	out.Cells = make([]string, 0, min(n, 1024))
	for range n {
		out.Cells = append(out.Cells, string(r.take(r.count())))
		if r.err != nil {
			return out, r.err
		}
	}
	return out, r.err
}

// PutPart stores a part, unless it is stored already: by a worker that was thought
// dead. It returns what the stored one says of itself.
func PutPart(ctx context.Context, b storage.Bucket, key string, h Head, rows []screenings.Row) (Head, error) {
	body, err := EncodePart(h, rows)
	if err != nil {
		return h, err
	}
	_, err = b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), storage.IfAbsent())
	if errors.Is(err, storage.ErrConflict) {
		return ReadHead(ctx, b, key)
	}
	h.Results = len(rows)
	return h, err
}

// ReadHead reads what a part says of itself; storage.ErrNotExist if there is none.
func ReadHead(ctx context.Context, b storage.Bucket, key string) (h Head, err error) {
	p, err := openPart(ctx, b, key)
	if err != nil {
		return h, err
	}
	return p.head, p.close()
}

// part is a part that is read, a row at a time.
type part struct {
	key   string
	head  Head
	in    *bufio.Reader
	left  int
	close func() error
	body  []byte
}

func openPart(ctx context.Context, b storage.Bucket, key string) (*part, error) {
	o, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	p := &part{key: key, in: bufio.NewReaderSize(o, 64<<10), close: o.Close}
	line, err := p.in.ReadSlice('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.head)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", key, err), p.close())
	}
	p.left = p.head.Results
	return p, nil
}

// next reads a row; io.EOF after the last.
func (p *part) next() (screenings.Row, error) {
	if p.left == 0 {
		return screenings.Row{}, io.EOF
	}
	p.left--
	n, err := binary.ReadUvarint(p.in)
	if err == nil && n > maxRow {
		err = errRow
	}
	if err == nil {
		if uint64(cap(p.body)) < n {
			p.body = make([]byte, n)
		}
		p.body = p.body[:n]
		_, err = io.ReadFull(p.in, p.body)
	}
	var r screenings.Row
	if err == nil {
		r, err = readRow(p.body)
	}
	if err != nil {
		return r, fmt.Errorf("read %s: %w", p.key, noEOF(err))
	}
	return r, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
