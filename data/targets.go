package data

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// findOverlap warns of rows that repeat a row of another sheet.
func (p *parser) findOverlap() {
	first := make(map[[sha256.Size]byte]int, p.table.Rows()) // row content → sheet
	var text []byte
	across := 0
	for row, o := range p.table.Origin {
		text = p.table.appendContent(text[:0], row)
		sum := sha256.Sum256(text)
		if source, seen := first[sum]; !seen {
			first[sum] = o.Source
		} else if source != o.Source {
			across++
		}
	}
	if across > 0 {
		p.warn("tables_overlap", "%d rows have the structure and values of a row in another table", across)
	}
}

// assignUnits gives each target its units and reports those that have several.
func (p *parser) assignUnits() {
	w := len(p.table.Targets)
	for t := range p.table.Targets {
		uses := make(map[int32]int)
		for at := t; at < len(p.unit); at += w {
			if p.table.N[at] > 0 {
				uses[p.unit[at]]++
			}
		}
		unknown := uses[0]
		delete(uses, 0)
		var ids []int32
		for id := range uses {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b int32) int { // commonest first
			if uses[a] != uses[b] {
				return uses[b] - uses[a]
			}
			return strings.Compare(p.units[a], p.units[b])
		})
		if len(ids) == 0 {
			continue
		}
		target := &p.table.Targets[t]
		target.Units = p.units[ids[0]]
		switch {
		case len(ids) > 1:
			p.mixedUnits(t, ids, uses)
		case unknown > 0:
			p.warn("units_assumed", "%d of %d values of %s come without units and are taken for %s",
				unknown, unknown+uses[ids[0]], target.Name, target.Units)
		}
		name, _ := splitUnit(target.Column)
		stated := p.statedUnits(target.Column, name)
		isColumn := slices.ContainsFunc(p.sheets, func(s *Sheet) bool { return slices.Contains(s.Header, stated) })
		if u := canonicalUnit(stated); u != "" && !isColumn && u != target.Units {
			p.defect(nil, Defect{Column: target.Column, Code: MixedUnits, Reason: fmt.Sprintf("stated to be in %s, but the table says %s", u, target.Units)})
		}
	}
}

// mixedUnits reports the first value that is not in the commonest units.
func (p *parser) mixedUnits(t int, ids []int32, uses map[int32]int) {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = fmt.Sprintf("%d in %s", uses[id], p.units[id])
	}
	d := Defect{Column: p.table.Targets[t].Column, Code: MixedUnits, Reason: "values have different units: " + strings.Join(words, ", ")}
	w := len(p.table.Targets)
	for row := range p.table.Structures {
		if id := p.unit[row*w+t]; p.table.N[row*w+t] > 0 && id != 0 && id != ids[0] {
			o := p.table.Origin[row]
			d.Row = o.Row
			p.defect(p.sheets[o.Source], d)
			return
		}
	}
}

// checkTargets reports what cannot be learned from.
func (p *parser) checkTargets() {
	t := p.table
	rows := make([]int, t.Rows())
	measured := 0
	for i := range rows {
		rows[i] = i
		if t.Measured(i) {
			measured++
		}
	}
	switch {
	case len(rows) == 0:
		if len(p.report.Defects) == 0 {
			p.defect(nil, Defect{Code: NoRows, Reason: "no rows to learn from"})
		}
		return
	case len(t.Targets) == 0:
		p.defect(nil, Defect{Code: NoTargets, Reason: "no numeric column is a property" + p.suggestTargets() + p.suggestPoints()})
		return
	}
	for i, n := range t.Counts(rows) {
		if target := t.Targets[i]; n < p.options.MinValues && target.Column != "" {
			p.defect(nil, Defect{Column: target.Column, Code: TooFewValues,
				Reason: fmt.Sprintf("%d measured values of %s; %d are needed to learn it, or leave it out of prediction_columns", n, target.Name, p.options.MinValues)})
		}
	}
	if empty := len(rows) - measured; empty > 0 {
		p.warn("unmeasured_rows", "%d of %d rows have no value of any target and are in no fold", empty, len(rows))
	}
}

// suggestTargets names the numeric columns that were not proposed.
func (p *parser) suggestTargets() string {
	var found []string
	for _, u := range p.report.NotProposed {
		found = append(found, u.Column+" "+u.Reason)
	}
	if len(found) == 0 {
		return ""
	}
	return "; " + strings.Join(found, ", ") + ": state it as a property if it is one"
}

// suggestPoints names the columns that would be numbers if their decimal commas
// were points, as spreadsheets of many countries write them.
func (p *parser) suggestPoints() string {
	var found []string
	for _, l := range p.source {
		for i, h := range l.sheet.Header {
			name, _ := splitUnit(h)
			if !slices.Contains(l.role[:], i) && !isReserved(name) && l.profiles[i].mostlyCommas() {
				found = append(found, h)
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	return "; decimal commas make text of " + strings.Join(found, ", ") + ": use points"
}
