package data

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// role is what a column of the table contract holds.
type role int

const (
	rolePolymer role = iota
	roleRepeatUnit
	roleMonomers
	roleMechanism
	rolePM
	roleDistribution
	roleDP
	roleReplicate
	roleProperty
	roleValue
	roleUnits
	roles // how many
)

// roleNames lists, best first, the headers by which each role is found, folded.
var roleNames = [roles][]string{
	rolePolymer:      {"smilespolymer", "polymersmiles"},
	roleRepeatUnit:   {"smilesrepeatunit", "repeatunitsmiles", "repeatunit", "psmiles"},
	roleMonomers:     {"monomers", "smilesmonomer", "smilesmonomers", "monomersmiles"},
	roleMechanism:    {"mechanism"},
	rolePM:           {"pm"},
	roleDistribution: {"distribution"},
	roleDP:           {"dp", "degreeofpolymerization", "degreeofpolymerisation"},
	roleReplicate:    {"replicatestructure"},
	roleProperty:     {"property"},
	roleValue:        {"value"},
	roleUnits:        {"units", "unit"},
}

// aliases names one property per line, folded. The first two are the contract's;
// further names of the same are kindness.
var aliases = [][]string{
	{"tg", "glasstransition", "glasstransitiontemperature"},
	{"tm", "melttemp", "melttemperature", "meltingtemperature", "meltingpoint"},
	{"youngmod", "youngsmodulus", "youngmodulus"},
}

// knownProperties are further names of properties, folded.
var knownProperties = []string{"density", "log10permeabilityco2", "log10permeabilityn2", "log10permeabilityo2", "tc", "tf", "td", "ffv", "rg",
	"thermalconductivity", "bandgap", "eg", "egc", "egb", "tensilestrength", "refractiveindex", "dielectricconstant"}

// Columns that are numbers and no property: identifiers, and what predictions
// and analyses leave behind. Folded names, and endings of lower-case ones.
var (
	indexNames      = []string{"", "index", "id", "row", "level0", "dataid"}
	reservedNames   = []string{"units", "unit", "modelid", "fold", "kfold", "fpsnotintrain", "error"}
	reservedEndings = []string{"_pred", "_err", "_error", "_std", "_stdev", "_stderr", "_pred_mean", "_pred_std", "_pred_lo", "_pred_hi", "_id", "_units", "_unit"}
)

// fold makes names comparable: case, blanks and punctuation between words do
// not matter.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '_', '-', '.', '\'', '’', '\u00a0':
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// property folds a name to the one that stands for all its aliases, said to be
// measured or not.
func property(name string) string {
	f := fold(name)
	for _, tail := range []string{"experimental", "measured", "exp"} {
		f = cmp.Or(strings.TrimSuffix(f, tail), f)
	}
	for _, names := range aliases {
		if slices.Contains(names, f) {
			return names[0]
		}
	}
	return f
}

// isProperty says that a name is one of a property that is known here, whatever
// is in its column.
func isProperty(name string) bool {
	f := property(name)
	return slices.ContainsFunc(aliases, func(names []string) bool { return slices.Contains(names, f) }) || slices.Contains(knownProperties, f)
}

// isIndex says that a column numbers the rows. pandas calls one without a name
// "Unnamed: 0".
func isIndex(header string) bool {
	f := fold(header)
	return slices.Contains(indexNames, f) || strings.HasPrefix(f, "unnamed:")
}

// isReserved says that a column can be no target, whatever is in it: it has a
// role of the contract, or is unnamed, or is one of the reserved.
func isReserved(header string) bool {
	f := fold(header)
	if isIndex(header) || slices.Contains(reservedNames, f) {
		return true
	}
	for _, names := range roleNames[:roleProperty] {
		if slices.Contains(names, f) {
			return true
		}
	}
	lower := strings.ToLower(header)
	if strings.Contains(lower, "_pred_") { // _pred_lo90, or of another level
		lower = strings.TrimRight(lower, "0123456789.")
	}
	return slices.ContainsFunc(reservedEndings, func(e string) bool { return strings.HasSuffix(lower, e) })
}

// nearest is the known name that a mistyped one most resembles, "" if none
// does.
func nearest(name string, known []string) string {
	if len(name) > maxName {
		return ""
	}
	f := fold(name)
	best, least := "", max(2, len(f)/3)+1
	for _, k := range known {
		d := levenshtein.ComputeDistance(f, fold(k))
		if d < least && d < max(len(f), len(fold(k))) {
			best, least = k, d
		}
	}
	return best
}
