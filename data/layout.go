package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// layout is which column of one sheet holds what; -1 is none.
type layout struct {
	sheet   *Sheet
	role    [roles]int
	folded  []string // header
	long    bool
	index   []bool         // per column: it only counts rows
	targets []targetColumn // of a wide sheet

	conditions []int // columns of Columns.Conditions; -1 is none
	weights    int   // column of Columns.Weights; -1 is none
	kept       []int // columns of Options.Keep; -1 is none

	profiles []profile // per column
}

// targetColumn is one target's place in one sheet.
type targetColumn struct {
	target int   // index into the table's targets
	column int   //
	units  int   // column of its units, -1 if none
	unit   int32 // units of the whole column, if none
}

// findRoles resolves the structural columns and reports what it misses.
func (p *parser) findRoles(l *layout) {
	s := l.sheet
	l.folded, l.index = make([]string, len(s.Header)), make([]bool, len(s.Header))
	for i, h := range s.Header {
		l.folded[i], l.index[i] = fold(h), isIndex(h)
	}
	stated := p.columns.Roles.stated()
	for r := range l.role {
		l.role[r] = -1
		if stated[r] != "" {
			if l.role[r] = slices.Index(s.Header, stated[r]); l.role[r] < 0 && len(p.sheets) == 1 {
				p.defect(s, Defect{Code: UnknownColumn, Column: stated[r],
					Reason: fmt.Sprintf("no column of this name, which %s was said to be in%s", roleFields[r], suggest(stated[r], s.Header))})
			}
			continue
		}
		for _, name := range roleNames[r] {
			at := slices.Index(l.folded, name)
			if at >= 0 && !slices.Contains(stated[:], s.Header[at]) {
				l.role[r] = at
				break
			}
		}
	}
	l.long = l.role[roleProperty] >= 0 && l.role[roleValue] >= 0 && !p.options.ForPrediction
	if !l.long { // then a column called value may be a target
		l.role[roleProperty], l.role[roleValue], l.role[roleUnits] = -1, -1, -1
	}
	if l.role[rolePolymer] < 0 && l.role[roleRepeatUnit] < 0 && l.role[roleMonomers] < 0 && !p.recognize(l) {
		p.defect(s, Defect{Code: NoStructure, Reason: "no column says what the polymers are: smiles_polymer, smiles_repeat_unit or monomers" + suggestSMILES(s.Header)})
	}
}

// suggestSMILES points at a column that seems to hold structures.
func suggestSMILES(header []string) string {
	for _, h := range header {
		if strings.Contains(fold(h), "smiles") {
			return fmt.Sprintf("; if it is %s, state it", h)
		}
	}
	return ""
}

func suggest(name string, known []string) string {
	if n := nearest(name, known); n != "" {
		return fmt.Sprintf("; is it %s?", n)
	}
	return ""
}

// findTargets resolves the target columns of a wide sheet, adding to the
// table's targets those that the caller left to be found. A column with the
// very name of a target goes before one with an alias of it.
func (p *parser) findTargets(l *layout) {
	header := make(map[int]string) // of each target in this sheet
	for i, h := range l.sheet.Header {
		name, _ := splitUnit(h)
		t := slices.IndexFunc(p.table.Targets, func(t Target) bool { return t.Name == h || t.Name == name })
		if _, twice := header[t]; t >= 0 && !twice && !l.taken(i) {
			header[t] = h
			p.placeTarget(l, t, i)
		}
	}
	for i, h := range l.sheet.Header {
		name, _ := splitUnit(h)
		if l.taken(i) || slices.ContainsFunc(l.targets, func(c targetColumn) bool { return c.column == i }) {
			continue
		}
		t, known := p.byProperty[property(name)]
		switch {
		case !known && (p.targetsStated() || isReserved(name) || !l.profiles[i].mostlyNumbers()):
			continue
		case !known && p.unlikely(l, i, name):
			continue
		case !known:
			t = p.addTarget(name)
		case header[t] != "":
			if !p.targetsStated() {
				p.defect(l.sheet, l.sameProperty(header[t], h))
			}
			continue
		}
		header[t] = h
		p.placeTarget(l, t, i)
	}
}

// sameProperty is the defect of two columns that give one property.
func (l *layout) sameProperty(first, second string) Defect {
	if first == second {
		return Defect{Row: l.sheet.headerRow, Column: second, Code: DuplicateHeader, Reason: "two columns have this name"}
	}
	return Defect{Column: second, Code: DuplicateHeader, Reason: first + " is the same property"}
}

// checkTwice reports columns of the structure whose name another column has too.
// What is not used may be called as it likes.
func (l *layout) checkTwice(p *parser) {
	for _, column := range l.role {
		if column < 0 || l.sheet.Header[column] == "" {
			continue
		}
		if slices.Index(l.sheet.Header[column+1:], l.sheet.Header[column]) >= 0 {
			p.defect(l.sheet, Defect{Row: l.sheet.headerRow, Column: l.sheet.Header[column], Code: DuplicateHeader, Reason: "two columns have this name"})
		}
	}
}

// placeTarget notes that a column of a sheet holds a target.
func (p *parser) placeTarget(l *layout, t, column int) {
	h := l.sheet.Header[column]
	name, unit := splitUnit(h)
	if unit == "" {
		unit = p.statedUnit(l.sheet, h, name)
	}
	if p.table.Targets[t].Column == "" {
		p.table.Targets[t].Column = h
	}
	l.targets = append(l.targets, targetColumn{target: t, column: column, units: p.unitsColumn(l, h, name), unit: p.unitID(unit)})
}

// findProperties adds the targets of a long sheet: what its property column
// names.
func (p *parser) findProperties(l *layout) {
	seen := make(map[string]bool)
	for _, line := range l.sheet.Rows {
		cell := trim(line.Cell(l.role[roleProperty]))
		if isBlank(cell) || seen[cell] {
			continue
		}
		seen[cell] = true
		name, _ := splitUnit(cell)
		t, known := p.byProperty[property(name)]
		if !known {
			if p.targetsStated() {
				continue
			}
			t = p.addTarget(name)
		}
		if p.table.Targets[t].Column == "" {
			p.table.Targets[t].Column = cell
		}
	}
}

// targetsStated says that the caller chose the targets.
func (p *parser) targetsStated() bool { return len(p.columns.Targets) > 0 }

func (p *parser) addTarget(name string) int {
	t := len(p.table.Targets)
	p.table.Targets = append(p.table.Targets, Target{Name: name})
	p.byProperty[property(name)] = t
	return t
}

// unitsColumn finds "Tg_units" for "Tg", or the column that Columns.Units names.
func (p *parser) unitsColumn(l *layout, header, name string) int {
	if h := p.statedUnits(header, name); h != "" {
		if i := slices.Index(l.sheet.Header, h); i >= 0 {
			return i
		}
	}
	f := fold(name)
	if i := slices.Index(l.folded, f+"units"); i >= 0 {
		return i
	}
	return slices.Index(l.folded, f+"unit")
}

// statedUnit is the unit that the caller or the publisher gives a column.
func (p *parser) statedUnit(s *Sheet, header, name string) string {
	if u := p.statedUnits(header, name); u != "" && !slices.Contains(s.Header, u) {
		return canonicalUnit(u)
	}
	return canonicalUnit(s.Units[header])
}

func (p *parser) statedUnits(header, name string) string {
	if u := p.columns.Units[header]; u != "" {
		return trim(u)
	}
	for _, t := range slices.Sorted(maps.Keys(p.columns.Units)) {
		if property(t) == property(name) {
			return trim(p.columns.Units[t])
		}
	}
	return ""
}
