package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"math"
)

// Hash names a sheet by its content: sha256, in hexadecimal, of header and
// cells. How the file was packed, quoted, delimited and spaced does not matter,
// nor how a number or a blank was written, nor a column that only numbers the rows.
func (s *Sheet) Hash() string {
	h := newCellHash()
	var columns []int
	for i, name := range s.Header {
		if !isIndex(name) {
			columns = append(columns, i)
			h.cell(name)
		}
	}
	var cells []string
	for _, l := range s.Rows {
		h.cell("\n")
		cells = l.AppendCells(cells[:0])
		for _, i := range columns {
			if i < len(cells) {
				h.cell(canonicalCell(cells[i]))
			} else {
				h.cell("")
			}
		}
	}
	return h.sum()
}

// canonicalCell writes blanks and numbers one way.
func canonicalCell(cell string) string {
	if cell == "" {
		return ""
	}
	cell = trim(cell)
	if isBlank(cell) {
		return ""
	}
	if v, ok := decimal(cell); ok {
		return formatNumber(v)
	}
	return cell
}

// Hash names a table by what is learned from it: sha256, in hexadecimal, of the
// targets with their units and of every row's structure and values, in order.
func (t *Table) Hash() string {
	h := newCellHash()
	for _, target := range t.Targets {
		h.cell(target.Name)
		h.cell(target.Units)
	}
	for _, name := range t.Conditions {
		h.cell(name)
	}
	var text []byte
	for row := range t.Structures {
		text = t.appendContent(text[:0], row)
		h.cell(string(text))
	}
	return h.sum()
}

// appendContent appends bytes that are equal for rows with equal structures and
// values.
func (t *Table) appendContent(b []byte, row int) []byte {
	b = t.Structures[row].appendKey(b)
	for _, v := range t.Values(row) {
		if math.IsNaN(v) {
			v = math.NaN() // one of the many
		}
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	}
	if len(t.Conditions) == 0 && t.Weight == nil && t.Side == nil {
		return b
	}
	b = t.measurementOf(row).appendKey(b)
	if t.Side != nil {
		n := len(t.Targets)
		for i := row * n; i < (row+1)*n; i++ {
			b = append(append(b, byte(t.Side[i])), formatNumber(t.Bound[i])...)
		}
	}
	return b
}

// cellHash hashes texts with their lengths, so that none runs into the next.
type cellHash struct {
	hash.Hash
	length [8]byte
}

var noLength [8]byte

func newCellHash() *cellHash { return &cellHash{Hash: sha256.New()} }

func (h *cellHash) cell(s string) {
	if s == "" {
		h.Write(noLength[:])
		return
	}
	binary.BigEndian.PutUint64(h.length[:], uint64(len(s)))
	h.Write(h.length[:])
	io.WriteString(h, s)
}

func (h *cellHash) sum() string { return hex.EncodeToString(h.Sum(nil)) }
