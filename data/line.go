package data

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
)

// lineReader reads one line of a sheet. What it finds wrong becomes a defect of
// the row.
type lineReader struct {
	*parser
	layout *layout
	source int
	line   Line
	cells  []string // of the line
	row    int      // of the table; -1 while it is none
}

// defect reports what is wrong with a cell; column -1 is the whole row.
func (r *lineReader) defect(column int, code Code, position int, format string, args ...any) {
	d := Defect{Row: r.line.Row, Code: code, Reason: fmt.Sprintf(format, args...), Position: position}
	if column >= 0 {
		d.Column = r.layout.sheet.Header[column]
	}
	r.rowDefect(r.row, r.source, d)
}

// broken says that the line's cells cannot be told apart.
func (r *lineReader) broken() bool {
	return r.line.broken != nil || len(r.cells) != len(r.layout.sheet.Header)
}

// cell is the trimmed text of a role's column, "" if it is blank or missing.
func (r *lineReader) cell(x role) string {
	c := trim(r.at(r.layout.role[x]))
	if isBlank(c) {
		return ""
	}
	return c
}

// at is the text of a column, "" where the row has none.
func (r *lineReader) at(column int) string {
	if column < 0 || column >= len(r.cells) {
		return ""
	}
	return r.cells[column]
}

// structure reads the polymer.
func (r *lineReader) structure() Structure {
	none := Structure{PM: math.NaN()}
	if b := r.line.broken; b != nil {
		r.defect(-1, b.Code, b.Position, "%s", b.Reason)
		return none
	}
	if r.broken() {
		r.defect(-1, RaggedRow, 0, "the row has %d cells, the header %d", len(r.cells), len(r.layout.sheet.Header))
		return none
	}
	s := Structure{
		Polymer:      r.cell(rolePolymer),
		RepeatUnit:   r.cell(roleRepeatUnit),
		Mechanism:    r.cell(roleMechanism),
		Monomers:     r.monomerCell(),
		Distribution: r.distributionCell(),
		PM:           r.pmCell(),
		DP:           r.wholeCell(roleDP, 1),
		Replicate:    r.wholeCell(roleReplicate, 0),
	}
	n := s.Notation()
	switch l := r.layout; {
	case n == "" && r.cell(roleMonomers) != "": // reported as what it is
	case n == "":
		column := -1
		for _, x := range []role{roleMonomers, roleRepeatUnit, rolePolymer} {
			if l.role[x] >= 0 {
				column = l.role[x]
			}
		}
		if column >= 0 { // otherwise the whole sheet was reported
			r.defect(column, MissingStructure, 0, "the row does not say what the polymer is")
		}
	case n == Monomers && s.Mechanism == "":
		r.defect(l.role[roleMechanism], MissingMechanism, 0, "monomers need a mechanism")
	case n == Monomers && r.options.Mechanisms != nil && !slices.Contains(r.options.Mechanisms, s.Mechanism):
		r.defect(l.role[roleMechanism], UnknownMechanism, 0, "%.40q is no mechanism%s", s.Mechanism, suggest(s.Mechanism, r.options.Mechanisms))
	}
	return s
}

// monomerCell reads monomers, each text once: tables repeat them. Polymers of
// one text share the slice.
func (r *lineReader) monomerCell() []string {
	text := r.cell(roleMonomers)
	m, ok := r.monomers[text]
	if ok {
		return m
	}
	m, err := ParseMonomers(text)
	if err != nil {
		r.badCell(roleMonomers, BadMonomers, err)
		return nil
	}
	r.monomers[text] = m
	return m
}

func (r *lineReader) distributionCell() []float64 {
	text := r.cell(roleDistribution)
	w, ok := r.weights[text]
	if ok {
		return w
	}
	w, err := parseDistribution(text)
	if err != nil {
		r.badCell(roleDistribution, BadNumber, err)
		return nil
	}
	r.weights[text] = w
	return w
}

func (r *lineReader) badCell(x role, code Code, err error) {
	position := 0
	var at *cellError
	if errors.As(err, &at) {
		position = at.position
	}
	r.defect(r.layout.role[x], code, position, "%s", err)
}

// pmCell reads the fraction of meso diads.
func (r *lineReader) pmCell() float64 {
	v, ok := r.number(r.layout.role[rolePM])
	if ok && (v < 0 || v > 1) {
		r.defect(r.layout.role[rolePM], BadRange, 0, "pm is a fraction from 0 to 1, not %v", v)
		return math.NaN()
	}
	return v
}

// wholeCell reads a count of at least least; pandas writes them as 1.0.
func (r *lineReader) wholeCell(x role, least int) int {
	v, ok := r.number(r.layout.role[x])
	if !ok {
		return 0
	}
	if v != math.Trunc(v) || v < float64(least) || v > math.MaxInt32 {
		r.defect(r.layout.role[x], BadRange, 0, "%s is a whole number from %d, not %v", roleFields[x], least, v)
		return 0
	}
	return int(v)
}

// number reads a cell that may be blank; ok is false and v NaN if there is no
// number in it.
func (r *lineReader) number(column int) (v float64, ok bool) {
	cell := trim(r.at(column))
	if isBlank(cell) {
		return math.NaN(), false
	}
	v, why := parseNumber(cell)
	if why != "" {
		r.defect(column, BadNumber, 0, "%.40q %s", cell, why)
		return math.NaN(), false
	}
	return v, true
}

// quantity reads a measured cell: a number, with its unit or without.
func (r *lineReader) quantity(column int) (v float64, unit string, ok bool) {
	cell := trim(r.at(column))
	if isBlank(cell) {
		return math.NaN(), "", false
	}
	v, unit, why := parseQuantity(cell)
	switch {
	case why == "":
		return v, unit, true
	case isBound(cell):
		r.defect(column, Bound, 0, "%.40q %s", cell, why)
	default:
		r.defect(column, BadNumber, 0, "%.40q %s", cell, why)
	}
	return math.NaN(), "", false
}

// values reads a wide row's targets into the table.
func (r *lineReader) values() {
	w := len(r.table.Targets)
	for _, c := range r.layout.targets {
		at := r.row*w + c.target
		v, side, unit, ok := r.value(c.column)
		switch {
		case !ok:
			continue
		case side != 0:
			r.table.Bound[at], r.table.Side[at] = v, side
		default:
			r.table.Y[at], r.table.N[at] = v, 1
		}
		r.unit[at] = c.unit
		if unit != "" {
			r.unit[at] = r.unitID(unit)
		}
		if u := trim(r.at(c.units)); !isBlank(u) {
			r.unit[at] = r.unitID(canonicalUnit(u))
		}
	}
}

// findDuplicate reports a row whose every cell repeats an earlier row's, index
// columns aside. Rows that differ in a name only are two samples.
func (r *lineReader) findDuplicate() {
	r.text = r.text[:0]
	for i, c := range r.cells {
		if !r.layout.index[i] {
			r.text = append(append(r.text, canonicalCell(c)...), 0)
		}
	}
	sum := sha256.Sum256(r.text)
	if first, ok := r.lines[sum]; ok {
		r.defect(-1, DuplicateRow, 0, "repeats row %d", first)
		return
	}
	r.lines[sum] = r.line.Row
}

// measurement reads a long row: which target (-1 for one that was not asked
// for), its value (NaN if blank), which side of it the target lies on if it is a
// bound, and units.
func (r *lineReader) measurement() (target int, value float64, side int8, unit int32) {
	if r.broken() {
		return -1, 0, 0, 0
	}
	cell := r.cell(roleProperty)
	value, side, own, measured := r.value(r.layout.role[roleValue])
	if cell == "" {
		if measured {
			r.defect(r.layout.role[roleProperty], MissingProperty, 0, "a value of no property")
		}
		return -1, value, 0, 0
	}
	name, u := splitUnit(cell)
	target, ok := r.byProperty[property(name)]
	if !ok {
		return -1, value, 0, 0
	}
	if stated := r.cell(roleUnits); stated != "" {
		u = canonicalUnit(stated)
	} else if own != "" {
		u = own
	} else if u == "" {
		u = r.statedUnit(r.layout.sheet, cell, name)
	}
	return target, value, side, r.unitID(u)
}

// addMeasurement folds a value into the mean of those before it.
func (r *lineReader) addMeasurement(target int, value float64, unit int32) {
	at := r.row*len(r.table.Targets) + target
	y, n := &r.table.Y[at], &r.table.N[at]
	switch {
	case *n == 0:
		*y, r.unit[at] = value, unit
	case r.unit[at] != unit && r.unit[at] != 0 && unit != 0 && !r.mixed[target]:
		r.mixed[target] = true
		r.parser.defect(r.layout.sheet, Defect{Row: r.line.Row, Column: r.table.Targets[target].Column, Code: MixedUnits,
			Reason: fmt.Sprintf("in %s, and in %s before", r.units[unit], r.units[r.unit[at]])})
	default:
		*y += (value - *y) / float64(*n+1)
	}
	*n++
}
