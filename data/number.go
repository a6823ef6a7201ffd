package data

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// isBlank tells an unmeasured cell from a measured one.
func isBlank(cell string) bool {
	if len(cell) > 4 { // the longest below
		return false
	}
	switch strings.ToLower(cell) {
	case "", "nan", "na", "n/a", "#n/a", "null", "none", "-", "--", "–", "—":
		return true
	}
	return false
}

// parseNumber reads a finite decimal number: digits, one point, an exponent.
// Otherwise it says why the cell is none.
func parseNumber(cell string) (v float64, why string) {
	if v, ok := decimal(cell); ok {
		return v, ""
	}
	return 0, whyNoNumber(cell)
}

// decimal reads what parseNumber does, and no more than a byte of most text.
func decimal(cell string) (float64, bool) {
	for i := range len(cell) { // no Inf, hexadecimal or underscores
		switch c := cell[i]; {
		case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(cell, 64)
	return v, err == nil
}

// whyNoNumber explains the usual ways in which tables write numbers that are
// none.
func whyNoNumber(cell string) string {
	switch {
	case strings.ContainsAny(cell, "<>≤≥~≈"):
		return "is a bound or an estimate, not a value"
	case strings.Contains(cell, "±"):
		return "is a value with its error; keep the value"
	case strings.ContainsRune(cell, '−'):
		return "has a typographic minus; use -"
	case isHuge(cell):
		return "is too large a number"
	case strings.EqualFold(strings.TrimLeft(cell, "+-"), "inf"), strings.EqualFold(strings.TrimLeft(cell, "+-"), "infinity"):
		return "is not finite"
	case hasDecimalComma(cell):
		return "has a decimal comma; use a point"
	case isDecimal(strings.ReplaceAll(cell, ",", "")):
		return "has thousands separators; leave them out"
	}
	if i := strings.LastIndexAny(cell, "0123456789"); i >= 0 && isDecimal(strings.TrimSpace(cell[:i+1])) {
		return "has something after the number; units go into a column of their own or the header"
	}
	return "is no number"
}

func isDecimal(cell string) bool {
	_, ok := decimal(cell)
	return ok
}

// hasDecimalComma says that a point in place of the comma would make a number.
func hasDecimalComma(cell string) bool {
	return strings.Count(cell, ",") == 1 && isDecimal(strings.Replace(cell, ",", ".", 1))
}

// isHuge says that digits are fine, only too many.
func isHuge(cell string) bool {
	_, err := strconv.ParseFloat(cell, 64)
	return errors.Is(err, strconv.ErrRange)
}

// formatNumber is the shortest decimal that reads back as v; "" for NaN.
func formatNumber(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// trim drops the blanks around a cell, the no-break space included.
func trim(cell string) string { return strings.TrimSpace(cell) }

func trimAll(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = trim(c)
	}
	return out
}
