package library

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"polyid-trainer/data"
)

// Grid is every combination of one monomer of each list, joined by one mechanism.
// The rows are numbered so that the last list's monomers change first.
type Grid struct {
	Monomers  [][]string `json:"monomers"`
	Mechanism string     `json:"mechanism"`
	DP        int        `json:"dp,omitempty"` // 0: as the model was trained
}

const (
	maxLists = 8
	maxGrid  = 100_000_000
	maxList  = 100_000
	maxText  = 10_000 // bytes of a monomer
)

// Check reports, joined, what cannot be of g: each a *data.SettingError.
func (g *Grid) Check(mechanism func(string) error) error {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, &data.SettingError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	if n := len(g.Monomers); n == 0 || n > maxLists {
		wrong("monomers", "has %d lists: a grid combines 1 to %d lists of SMILES", n, maxLists)
	}
	rows := 1.0
	for i, list := range g.Monomers {
		at := fmt.Sprintf("monomers/%d", i)
		rows *= float64(len(list))
		if n := len(list); n == 0 || n > maxList {
			wrong(at, "has %d monomers: 1 to %d are possible", n, maxList)
		}
		for k, m := range list {
			if m == "" || len(m) > maxText {
				wrong(fmt.Sprintf("%s/%d", at, k), "is empty, or longer than %d bytes: a SMILES is expected", maxText)
				break
			}
		}
	}
	if rows > maxGrid {
		wrong("monomers", "makes %.0f combinations, more than %d: leave some out, or screen parts of the grid", rows, maxGrid)
	}
	if err := mechanism(g.Mechanism); err != nil {
		wrong("mechanism", "%s", err)
	}
	if g.DP < 0 || g.DP > math.MaxInt32 {
		wrong("dp", "%d is no length of a chain", g.DP)
	}
	return errors.Join(errs...)
}

// gridHeader are a grid's columns.
var gridHeader = []string{"monomers", "mechanism", "DP"}

// Index implements [Rows].
func (g *Grid) Index() *Index {
	rows := int64(1)
	for _, list := range g.Monomers {
		rows *= int64(len(list))
	}
	header := gridHeader
	if g.DP == 0 {
		header = gridHeader[:2]
	}
	return &Index{Header: header, Roles: data.Roles{Monomers: gridHeader[0], Mechanism: gridHeader[1]},
		Numeric: []bool{false, false, true}[:len(header)], Rows: rows}
}

// Sheet implements [Rows].
func (g *Grid) Sheet(_ context.Context, from, to int64) (*data.Sheet, error) {
	x := g.Index()
	if err := inside(from, to, x.Rows); err != nil {
		return nil, err
	}
	lines := make([]data.Line, 0, to-from)
	chosen := make([]string, len(g.Monomers))
	for ; from < to; from++ {
		rest := from
		for i := len(g.Monomers) - 1; i >= 0; i-- {
			n := int64(len(g.Monomers[i]))
			chosen[i], rest = g.Monomers[i][rest%n], rest/n
		}
		cells := []string{data.FormatMonomers(chosen), g.Mechanism, strconv.Itoa(g.DP)}
		lines = append(lines, data.NewLine(int(from)+2, cells[:len(x.Header)]))
	}
	return data.Block(x.Header, lines), nil
}
