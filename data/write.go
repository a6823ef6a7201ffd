package data

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// WriteCSV writes the sheet as it came, as plain CSV.
func (s *Sheet) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write(s.Header)
	var cells []string
	for _, l := range s.Rows {
		cells = l.AppendCells(cells[:0])
		if l.broken != nil {
			cells = make([]string, len(s.Header))
		}
		c.Write(cells)
	}
	return flush(c, "sheet")
}

// WriteCSV writes the table in the form that [Read] reads back as the same
// table: where each row came from (sheet, counted from 1, and row), the
// structure's columns that any row fills, then each target and its units. How
// often a value was measured is not written.
func (t *Table) WriteCSV(w io.Writer) error {
	var used []string
	for _, f := range fields {
		blank, _ := (&Structure{PM: math.NaN()}).Field(f)
		for i := range t.Structures {
			if v, _ := t.Structures[i].Field(f); v != blank {
				used = append(used, f)
				break
			}
		}
	}
	header := append([]string{"origin"}, used...)
	for _, target := range t.Targets {
		header = append(header, target.Name)
		if target.Units != "" {
			header = append(header, target.Name+"_units")
		}
	}
	conditions := t.conditionsBeside(used)
	for _, i := range conditions {
		header = append(header, t.Conditions[i])
	}
	if t.Weight != nil {
		header = append(header, WeightColumn)
	}
	kept := slices.Sorted(maps.Keys(t.Kept))
	for _, name := range kept {
		header = append(header, keptColumn+name)
	}
	c := csv.NewWriter(w)
	c.Write(header)
	cells := make([]string, 0, len(header))
	for row := range t.Structures {
		cells = append(cells[:0], fmt.Sprintf("%d:%d", t.Origin[row].Source+1, t.Origin[row].Row))
		for _, f := range used {
			v, _ := t.Structures[row].Field(f)
			cells = append(cells, v)
		}
		for i, v := range t.Values(row) {
			cells = append(cells, t.cell(row, i, v))
			if t.Targets[i].Units != "" {
				cells = append(cells, t.Targets[i].Units)
			}
		}
		for _, i := range conditions {
			cells = append(cells, formatNumber(t.ConditionsOf(row)[i]))
		}
		if t.Weight != nil {
			cells = append(cells, formatNumber(t.Weight[row]))
		}
		for _, name := range kept {
			cells = append(cells, t.kept(name, row))
		}
		c.Write(cells)
	}
	return flush(c, "table")
}

// flush gives the first error of all that was written.
func flush(c *csv.Writer, what string) error {
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}
