package data

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// WeightColumn is the column of weights in what [Table.WriteCSV] writes.
const WeightColumn = "row_weight"

// measurement is what a row says of how it was measured.
type measurement struct {
	conditions []float64 // NaN is unknown; nil is none known
	weight     float64
}

// appendKey appends bytes that are equal for equal measurements.
func (m measurement) appendKey(b []byte) []byte {
	for _, v := range m.conditions {
		b = append(append(b, formatNumber(v)...), 0)
	}
	return append(append(b, formatNumber(m.weight)...), 0)
}

func (t *Table) measurementOf(row int) measurement {
	return measurement{t.ConditionsOf(row), t.WeightOf(row)}
}

// findMeasurement finds the columns of conditions and weights in a sheet.
func (p *parser) findMeasurement(l *layout) {
	for _, name := range p.columns.Conditions {
		l.conditions = append(l.conditions, l.column(name))
	}
	for _, name := range p.options.Keep {
		column := l.column(keptColumn + name)
		if column < 0 {
			column = l.column(name)
		}
		l.kept = append(l.kept, column)
	}
	l.weights = -1
	if p.columns.Weights != "" {
		l.weights = l.column(p.columns.Weights)
	}
}

// column is that of a header, written exactly or alike; -1 if there is none.
func (l *layout) column(name string) int {
	if i := slices.Index(l.sheet.Header, name); i >= 0 {
		return i
	}
	return slices.Index(l.folded, fold(name))
}

// taken says that a column is no target: it holds something else.
func (l *layout) taken(column int) bool {
	return slices.Contains(l.role[:], column) || slices.Contains(l.conditions, column) || column == l.weights
}

// keptColumn precedes the header of a kept column in what [Table.WriteCSV] writes.
const keptColumn = "kept: "

// keepCells notes the cells of the columns to keep of a line.
func (p *parser) keepCells(l *layout, row int) {
	for k, name := range p.options.Keep {
		column := l.kept[k]
		if column < 0 || column >= len(p.cells) {
			continue
		}
		if p.table.Kept == nil {
			p.table.Kept = map[string][]string{}
		}
		cells := p.table.Kept[name]
		for len(cells) <= row {
			cells = append(cells, "")
		}
		if cell := trim(p.cells[column]); !isBlank(cell) {
			cells[row] = cell
		}
		p.table.Kept[name] = cells
	}
}

// kept is the cell of a row in a kept column.
func (t *Table) kept(name string, row int) string {
	if cells := t.Kept[name]; row < len(cells) {
		return cells[row]
	}
	return ""
}

// checkMeasurement reports conditions and weights that no sheet has.
func (p *parser) checkMeasurement() {
	report := func(name string, found func(*layout) bool) {
		if slices.ContainsFunc(p.source, found) {
			return
		}
		var known []string
		for _, l := range p.source {
			known = append(known, l.sheet.Header...)
		}
		p.defect(nil, Defect{Column: name, Code: UnknownColumn, Reason: "no column of this name" + suggest(name, known)})
	}
	for i, name := range p.columns.Conditions {
		report(name, func(l *layout) bool { return i < len(l.conditions) && l.conditions[i] >= 0 })
	}
	if p.columns.Weights != "" {
		report(p.columns.Weights, func(l *layout) bool { return l.weights >= 0 })
	}
}

// conditions reads how a row was measured. A blank weight is 1.
func (r *lineReader) conditions() measurement {
	m := measurement{weight: 1}
	if r.broken() {
		return m
	}
	for _, c := range r.layout.conditions {
		v, _, ok := r.quantity(c)
		if !ok {
			v = math.NaN()
		}
		m.conditions = append(m.conditions, v)
	}
	switch w, ok := r.number(r.layout.weights); {
	case !ok:
	case w < 0:
		r.defect(r.layout.weights, BadRange, 0, "a weight is 0 or more, not %v", w)
	default:
		m.weight = w
	}
	return m
}

// setMeasurement notes how a row of the table was measured.
func (p *parser) setMeasurement(row int, m measurement) {
	copy(p.table.C[row*len(p.table.Conditions):], m.conditions)
	if p.table.Weight != nil {
		p.table.Weight[row] = m.weight
	}
}

// value reads a measured cell, or where bounds are read a bound: then side is 1
// if the target lies above v, and -1 if it lies below.
func (r *lineReader) value(column int) (v float64, side int8, unit string, ok bool) {
	if cell := trim(r.at(column)); r.columns.Censored && isBound(cell) {
		v, side, unit = parseBound(cell)
		return v, side, unit, true
	}
	v, unit, ok = r.quantity(column)
	return v, 0, unit, ok
}

// parseBound reads a cell that isBound.
func parseBound(cell string) (v float64, side int8, unit string) {
	side = 1
	if strings.HasPrefix(cell, "<") || strings.HasPrefix(cell, "≤") || strings.HasPrefix(cell, "⩽") {
		side = -1
	}
	v, unit, _ = parseQuantity(trim(strings.TrimLeft(cell, "<>=≤≥⩽⩾")))
	return v, side, unit
}

// addBound notes a bound of a long sheet's row, unless it has one already.
func (r *lineReader) addBound(target int, value float64, side int8, unit int32) {
	at := r.row*len(r.table.Targets) + target
	if r.table.Side[at] != 0 {
		return
	}
	r.table.Bound[at], r.table.Side[at] = value, side
	if r.table.N[at] == 0 {
		r.unit[at] = unit
	}
}

// checkBounds reports bounds in other units than the values, and drops those of
// what was measured too.
func (p *parser) checkBounds() {
	w := len(p.table.Targets)
	for at, side := range p.table.Side {
		if side == 0 {
			continue
		}
		if p.table.N[at] > 0 {
			p.table.Side[at], p.table.Bound[at] = 0, math.NaN()
			continue
		}
		target := p.table.Targets[at%w]
		if unit := p.units[p.unit[at]]; unit != "" && target.Units != "" && unit != target.Units {
			o := p.table.Origin[at/w]
			p.defect(p.sheets[o.Source], Defect{Row: o.Row, Column: target.Column, Code: MixedUnits,
				Reason: fmt.Sprintf("a bound in %s, where the values are in %s", unit, target.Units)})
		}
	}
}

// warnMeasurement says how many rows do not state a condition.
func (p *parser) warnMeasurement() {
	if p.options.ForPrediction {
		return
	}
	t := p.table
	for i, name := range t.Conditions {
		missing := 0
		for row := range t.Rows() {
			if math.IsNaN(t.ConditionsOf(row)[i]) {
				missing++
			}
		}
		if missing > 0 && missing < t.Rows() {
			p.warn("condition_missing", "%d of %d rows do not state %s; the median of the others stands for it", missing, t.Rows(), name)
		}
		if missing == t.Rows() && missing > 0 {
			p.defect(nil, Defect{Column: name, Code: TooFewValues, Reason: "no row states this condition"})
		}
	}
	if t.Weight != nil && t.Rows() > 0 && !slices.ContainsFunc(t.Weight, func(w float64) bool { return w > 0 }) {
		p.defect(nil, Defect{Column: p.columns.Weights, Code: TooFewValues, Reason: "every row has weight 0"})
	}
}

// conditionsBeside lists the conditions whose column is not one of the
// structure's that are written.
func (t *Table) conditionsBeside(used []string) []int {
	var out []int
	for i, name := range t.Conditions {
		if !slices.Contains(used, name) {
			out = append(out, i)
		}
	}
	return out
}

// cell is a target's value as text, or its bound.
func (t *Table) cell(row, target int, value float64) string {
	at := row*len(t.Targets) + target
	if t.Side == nil || t.Side[at] == 0 {
		return formatNumber(value)
	}
	if t.Side[at] < 0 {
		return "<" + formatNumber(t.Bound[at])
	}
	return ">" + formatNumber(t.Bound[at])
}

// Written is what c says of a table that [Table.WriteCSV] wrote.
func (c Columns) Written() Columns {
	c.Roles = Roles{}
	if c.Weights != "" {
		c.Weights = WeightColumn
	}
	return c
}
