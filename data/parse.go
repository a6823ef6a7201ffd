package data

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Read is [ReadSheet] and [Parse] of one file.
func Read(ctx context.Context, r io.Reader, name string, c Columns, o Options) (*Table, *Report, error) {
	s, err := ReadSheet(r, name, o)
	if err != nil {
		return nil, nil, err
	}
	return Parse(ctx, []*Sheet{s}, c, o)
}

// Parse makes one table of sheets: their rows one after the other, their
// columns joined by property. The report is complete either way. If anything in
// it blocks, the table is nil and the error a [*DefectsError]; other errors are
// of the settings ([*SettingError], joined) or the context's.
//
// The cost is linear in the cells, and Options.Check once per distinct SMILES,
// spread over GOMAXPROCS goroutines.
func Parse(ctx context.Context, sheets []*Sheet, c Columns, o Options) (*Table, *Report, error) {
	c, o = c.WithDefaults(), o.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("read columns: %w", err)
	}
	p := newParser(sheets, c, o)
	for source, l := range p.layouts() {
		p.merged = make(map[string]int)
		p.lines = make(map[[sha256.Size]byte]int)
		p.report.Rows += len(l.sheet.Rows)
		for _, line := range l.sheet.Rows {
			p.cells = line.AppendCells(p.cells[:0])
			p.readLine(l, source, line)
		}
	}
	if err := p.checkStructures(ctx); err != nil {
		return nil, nil, err
	}
	p.selectRows()
	if err := p.identify(ctx); err != nil {
		return nil, nil, err
	}
	p.assignUnits()
	p.checkBounds()
	p.warnMeasurement()
	if !o.ForPrediction {
		p.checkTargets()
		if len(sheets) > 1 {
			p.findOverlap()
		}
	}
	p.report.Kept = p.table.Rows()
	if err := p.report.Err(); err != nil && !o.ForPrediction {
		return nil, p.report, err
	}
	return p.table, p.report, nil
}

// parser is the state of one Parse. Slices along rows run parallel to the
// table's until selectRows.
type parser struct {
	sheets  []*Sheet
	columns Columns
	options Options

	table  *Table
	report *Report
	source []*layout // of Origin.Source

	byProperty map[string]int // folded property → target
	units      []string       // by id; 0 is unknown
	unitIDs    map[string]int32
	unit       []int32 // [rows × targets] id of each value's units

	rowDefects []rowDefect
	flaws      int                       // row defects, those past Options.MaxDefects too
	badRows    map[int]bool              // rows of the table with a defect
	mixed      map[int]bool              // targets of a long sheet in different units
	merged     map[string]int            // structure key → row, of the sheet being read if it is long
	lines      map[[sha256.Size]byte]int // content → line number, of the sheet being read if it is wide
	text       []byte                    // scratch
	cells      []string                  // scratch
	monomers   map[string][]string
	weights    map[string][]float64
}

// rowDefect is a defect that dropping its row mends.
type rowDefect struct {
	source int
	Defect
}

func newParser(sheets []*Sheet, c Columns, o Options) *parser {
	p := &parser{
		sheets: sheets, columns: c, options: o,
		table:      &Table{Conditions: c.Conditions},
		report:     &Report{Defects: []Defect{}, Dropped: []Defect{}, Warnings: []Warning{}, NotProposed: []Unlikely{}},
		byProperty: make(map[string]int),
		units:      []string{""},
		unitIDs:    map[string]int32{"": 0},
		monomers:   make(map[string][]string),
		weights:    make(map[string][]float64),
		badRows:    make(map[int]bool),
		mixed:      make(map[int]bool),
	}
	for _, t := range c.Targets {
		name, _ := splitUnit(t)
		p.byProperty[property(name)] = len(p.table.Targets)
		p.table.Targets = append(p.table.Targets, Target{Name: t})
	}
	return p
}

// layouts finds every sheet's columns, all of them before the first row is
// read, since the targets are the width of a row.
func (p *parser) layouts() []*layout {
	for _, s := range p.sheets {
		for _, d := range s.defects {
			p.defect(s, d)
		}
		p.report.Warnings = append(p.report.Warnings, s.warnings...)
		l := &layout{sheet: s}
		p.source = append(p.source, l)
		if len(s.Header) == 0 {
			continue // reported; there are no rows
		}
		l.profiles = profiles(s)
		p.findRoles(l)
		p.findMeasurement(l)
		if l.long {
			p.findProperties(l)
		} else {
			p.findTargets(l)
		}
		l.checkTwice(p)
	}
	if p.targetsStated() && !p.options.ForPrediction {
		p.checkStated()
	}
	if !p.options.ForPrediction {
		p.checkMeasurement()
	}
	return p.source
}

// checkStated reports targets that no sheet has.
func (p *parser) checkStated() {
	var known []string
	for _, l := range p.source {
		for i, h := range l.sheet.Header {
			name, _ := splitUnit(h)
			if !slices.Contains(l.role[:], i) && !isReserved(name) && l.profiles[i].mostlyNumbers() {
				known = append(known, h)
			}
		}
	}
	for _, t := range p.table.Targets {
		if t.Column != "" {
			continue
		}
		hint := suggest(t.Name, known)
		if hint == "" && len(known) > 0 {
			hint = "; the numeric columns are " + strings.Join(known, ", ")
		}
		p.defect(nil, Defect{Column: t.Name, Code: UnknownColumn, Reason: "no column of this name" + hint})
	}
}

// defect reports what no dropped row mends; nil is no sheet in particular.
func (p *parser) defect(s *Sheet, d Defect) {
	if s != nil && len(p.sheets) > 1 {
		d.Source = s.Name
	}
	p.report.Defects = append(p.report.Defects, d)
}

// rowDefect reports what dropping the row mends.
func (p *parser) rowDefect(row, source int, d Defect) {
	p.flaws++
	if row >= 0 {
		p.badRows[row] = true
	}
	if len(p.rowDefects) < p.options.MaxDefects {
		p.rowDefects = append(p.rowDefects, rowDefect{source, d})
	}
}

func (p *parser) warn(code, format string, args ...any) {
	p.report.Warnings = append(p.report.Warnings, Warning{code, fmt.Sprintf(format, args...)})
}

// unitID interns a unit.
func (p *parser) unitID(u string) int32 {
	id, ok := p.unitIDs[u]
	if !ok {
		id = int32(len(p.units))
		p.units = append(p.units, u)
		p.unitIDs[u] = id
	}
	return id
}

// readLine adds one line of a sheet to the table.
func (p *parser) readLine(l *layout, source int, line Line) {
	n := p.flaws
	r := lineReader{parser: p, layout: l, source: source, line: line, cells: p.cells, row: p.table.Rows()}
	if l.long {
		r.row = -1
		s := r.structure()
		property, value, side, unit := r.measurement()
		if p.flaws > n {
			return
		}
		m := r.conditions()
		if p.flaws > n {
			return
		}
		r.row = p.mergedRow(s, m, source, line)
		p.keepCells(l, r.row)
		switch {
		case property >= 0 && side != 0:
			r.addBound(property, value, side, unit)
		case property >= 0 && !math.IsNaN(value):
			r.addMeasurement(property, value, unit)
		}
		return
	}
	s := r.structure()
	p.addRow(s, measurement{weight: 1}, source, line)
	p.keepCells(l, r.row)
	if !r.broken() {
		p.setMeasurement(r.row, r.conditions())
		r.values()
	}
	if p.flaws == n && !p.options.ForPrediction {
		r.findDuplicate()
	}
}

// addRow appends a row with nothing measured.
func (p *parser) addRow(s Structure, m measurement, source int, line Line) int {
	t := p.table
	t.Structures = append(t.Structures, s)
	t.Origin = append(t.Origin, Origin{Source: source, Row: line.Row, Position: t.InputRows})
	t.InputRows++
	for range t.Targets {
		t.Y = append(t.Y, math.NaN())
		t.N = append(t.N, 0)
		p.unit = append(p.unit, 0)
		if p.columns.Censored {
			t.Bound, t.Side = append(t.Bound, math.NaN()), append(t.Side, 0)
		}
	}
	for range t.Conditions {
		t.C = append(t.C, math.NaN())
	}
	if p.columns.Weights != "" {
		t.Weight = append(t.Weight, 1)
	}
	p.setMeasurement(t.Rows()-1, m)
	return t.Rows() - 1
}

// mergedRow is the row of a long sheet's structure under the same conditions, new
// if it is the first of its kind.
func (p *parser) mergedRow(s Structure, m measurement, source int, line Line) int {
	key := string(m.appendKey(s.appendKey(nil)))
	row, ok := p.merged[key]
	if !ok {
		row = p.addRow(s, m, source, line)
		p.merged[key] = row
	}
	return row
}

// selectRows decides which rows stay and files the defects of the others.
func (p *parser) selectRows() {
	slices.SortStableFunc(p.rowDefects, func(a, b rowDefect) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.Row, b.Row))
	})
	drop := p.options.DropBadRows && !p.options.ForPrediction
	for _, d := range p.rowDefects {
		if len(p.sheets) > 1 {
			d.Source = p.sheets[d.source].Name
		}
		if drop {
			p.report.Dropped = append(p.report.Dropped, d.Defect)
		} else {
			p.report.Defects = append(p.report.Defects, d.Defect)
		}
	}
	p.report.Omitted = p.flaws - len(p.rowDefects)
	if drop && len(p.badRows) > 0 {
		p.keep(func(row int) bool { return !p.badRows[row] })
	}
}

// keep compacts the table in place to the rows that stay.
func (p *parser) keep(stays func(row int) bool) {
	t, w, c, n := p.table, len(p.table.Targets), len(p.table.Conditions), 0
	for row := range t.Rows() {
		if !stays(row) {
			continue
		}
		t.Structures[n], t.Origin[n] = t.Structures[row], t.Origin[row]
		copy(t.Y[n*w:], t.Y[row*w:(row+1)*w])
		copy(t.N[n*w:], t.N[row*w:(row+1)*w])
		copy(p.unit[n*w:], p.unit[row*w:(row+1)*w])
		copy(t.C[n*c:], t.C[row*c:(row+1)*c])
		if t.Weight != nil {
			t.Weight[n] = t.Weight[row]
		}
		for _, cells := range t.Kept {
			if n < len(cells) {
				cells[n] = ""
				if row < len(cells) {
					cells[n] = cells[row]
				}
			}
		}
		if t.Side != nil {
			copy(t.Bound[n*w:], t.Bound[row*w:(row+1)*w])
			copy(t.Side[n*w:], t.Side[row*w:(row+1)*w])
		}
		n++
	}
	clear(t.Structures[n:]) // let go of their text
	t.Structures, t.Origin = t.Structures[:n], t.Origin[:n]
	t.Y, t.N, p.unit, t.C = t.Y[:n*w], t.N[:n*w], p.unit[:n*w], t.C[:n*c]
	if t.Weight != nil {
		t.Weight = t.Weight[:n]
	}
	for name, cells := range t.Kept {
		t.Kept[name] = cells[:min(n, len(cells))]
	}
	if t.Side != nil {
		t.Bound, t.Side = t.Bound[:n*w], t.Side[:n*w]
	}
}
