package data

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// profile is what the cells of one column are, counted in one pass over all
// columns.
type profile struct {
	filled  int // cells that are not blank
	numbers int // cells meant for numbers, with slips
	commas  int // cells that a point in place of a comma would make numbers

	values       int // decimal numbers, of which all below speaks
	whole        int // integers
	years, dates int
	steps        int     // values one more, or one less, than the one before
	first, last  float64 //
	least, most  float64 //
	constant     bool    // all values are equal
	sample       []string
}

// sampled is how many cells of a column are looked at as structures.
const sampled = 64

// profiles counts in one pass what each column of a sheet holds.
func profiles(s *Sheet) []profile {
	ps := make([]profile, len(s.Header))
	for i := range ps {
		ps[i].constant, ps[i].least, ps[i].most = true, math.Inf(1), math.Inf(-1)
	}
	stride := max(1, len(s.Rows)/sampled)
	var cells []string
	for n, l := range s.Rows {
		cells = l.AppendCells(cells[:0])
		for i, c := range cells[:min(len(cells), len(ps))] {
			if c == "" {
				continue
			}
			if c = trim(c); !isBlank(c) {
				ps[i].add(c, n%stride == 0)
			}
		}
	}
	return ps
}

func (p *profile) add(cell string, sample bool) {
	p.filled++
	if sample && len(p.sample) < sampled {
		p.sample = append(p.sample, cell)
	}
	v, ok := decimal(cell)
	if !ok {
		switch {
		case hasDecimalComma(cell):
			p.commas++
		case numberLike(cell):
			p.numbers++
		}
		return
	}
	p.numbers++
	if p.values > 0 && math.Abs(v-p.last) == 1 {
		p.steps++
	}
	if p.values == 0 {
		p.first = v
	}
	p.values++
	p.constant = p.constant && v == p.first
	p.last, p.least, p.most = v, min(p.least, v), max(p.most, v)
	if v == math.Trunc(v) {
		p.whole++
		if v >= 1900 && v <= 2100 {
			p.years++
		}
		if isDate(int64(v)) {
			p.dates++
		}
	}
}

// isDate says that a number is a date written as 20240131.
func isDate(v int64) bool {
	year, month, day := v/10000, v/100%100, v%100
	return year >= 1900 && year <= 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 31
}

// mostlyNumbers tells a column of numbers with slips from one of text: at least
// half of what it holds is meant for numbers.
func (p *profile) mostlyNumbers() bool { return p.numbers > 0 && 2*p.numbers >= p.filled }

// mostlyCommas says that at least half of the cells have decimal commas.
func (p *profile) mostlyCommas() bool { return p.commas > 0 && 2*p.commas >= p.filled }

// fewest is how many values a column needs before their pattern says anything.
const fewest = 3

// identifiers are words by which a header says that it counts or names rows, and
// times words of dates; folded.
var (
	identifiers = []string{"no", "nr", "num", "number", "serial", "serialnumber", "sno", "slno", "sampleno", "samplenumber", "entry", "sample", "sampleid", "polymerid", "pid", "uid", "cid", "cas", "casno", "casnumber", "#", "rowid", "rownumber", "idx", "ref", "reference", "refno", "page", "count", "key", "recordid", "nummer", "№"}
	times       = []string{"year", "yr", "date", "day", "month", "time", "timestamp", "created", "updated", "published", "jahr", "datum", "année", "año"}
)

// unlikelyReason says why a numeric column is probably no property, "" if it may
// well be one.
func (p *profile) unlikelyReason(name string) string {
	f := fold(name)
	whole := p.values > 0 && p.whole == p.values && p.values == p.filled
	span := p.most - p.least
	switch {
	case slices.Contains(times, f) || strings.HasSuffix(f, "year") || strings.HasSuffix(f, "date"):
		return "is a time by its name"
	case whole && slices.Contains(identifiers, f), strings.HasPrefix(f, "id") && whole && f != "ideal":
		return "names or counts the rows, by its name"
	case p.values < fewest:
		return ""
	case p.constant && p.values == p.filled:
		return fmt.Sprintf("has the same value in all rows, %v", p.first)
	case whole && p.years == p.values:
		return "holds years"
	case whole && p.dates == p.values:
		return "holds dates"
	case whole && p.values >= 5 && p.steps == p.values-1 && span == float64(p.values-1):
		return "numbers the rows one after the other"
	}
	return ""
}

// unlikely notes a numeric column that nobody asked for and that is probably no
// property, or one too many, and says whether it is one. What has a known name or
// a unit is a property.
func (p *parser) unlikely(l *layout, column int, name string) bool {
	h := l.sheet.Header[column]
	if p.options.AllNumbers {
		return false
	}
	reason := ""
	if _, unit := splitUnit(h); unit == "" && !isProperty(name) && p.statedUnit(l.sheet, h, name) == "" && p.unitsColumn(l, h, name) < 0 {
		reason = l.profiles[column].unlikelyReason(name)
	}
	if reason == "" && len(p.table.Targets) >= p.options.MaxTargets {
		reason = fmt.Sprintf("is beyond the first %d numeric columns", p.options.MaxTargets)
	}
	if reason == "" {
		return false
	}
	p.report.NotProposed = append(p.report.NotProposed, Unlikely{Column: h, Reason: reason})
	p.warn("not_proposed", "%.60q is not proposed as a property: it %s", h, reason)
	return true
}

// recognize finds the column of structures by its cells, where nine of ten are
// repeat units or chains, and says whether there is one. Of several it is the one
// whose header speaks of SMILES, or the first.
func (p *parser) recognize(l *layout) bool {
	if p.options.Recognize == nil {
		return false
	}
	best, as, most := -1, role(-1), 0
	for i := range l.profiles {
		pr := &l.profiles[i]
		if slices.Contains(l.role[:], i) || pr.mostlyNumbers() || len(pr.sample) == 0 {
			continue
		}
		units, chains := 0, 0
		for _, c := range pr.sample {
			switch p.options.Recognize(c) {
			case RepeatUnit:
				units++
			case Polymer:
				chains++
			}
		}
		score, r := 2, roleRepeatUnit // a column of repeat units goes before one of chains
		if chains > units {
			score, r = 0, rolePolymer
		}
		if 10*max(units, chains) < 9*len(pr.sample) {
			continue
		}
		if strings.Contains(l.folded[i], "smiles") {
			score++
		}
		if score++; score > most {
			best, as, most = i, r, score
		}
	}
	if best < 0 {
		return false
	}
	l.role[as] = best
	p.warn("structure_recognized", "%.60q is read as %s, by its cells", l.sheet.Header[best], roleFields[as])
	return true
}
