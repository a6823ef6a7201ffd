package data

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// isBlank tells an unmeasured cell from a measured one.
func isBlank(cell string) bool {
	switch {
	case cell == "":
		return true
	case len(cell) > 4: // the longest below
		return false
	}
	switch strings.ToLower(cell) {
	case "nan", "na", "n/a", "#n/a", "null", "none", "-", "--", "–", "—":
		return true
	}
	return false
}

// parseNumber reads a finite decimal number: digits, one point, an exponent. A
// typographic minus is a minus, and what follows ± is the error of the value.
// Otherwise it says why the cell is none.
func parseNumber(cell string) (v float64, why string) {
	if v, ok := decimal(cell); ok {
		return v, ""
	}
	plain := cell
	for _, minus := range []string{"−", "‒", "–", "﹣", "－"} {
		if rest, ok := strings.CutPrefix(plain, minus); ok {
			plain = "-" + trim(rest)
		}
	}
	if value, spread, ok := cutAny(plain, "±", "+/-", "+-"); ok && isDecimal(trim(spread)) {
		plain = trim(value)
	}
	if v, ok := decimal(plain); ok {
		return v, ""
	}
	return 0, whyNoNumber(cell)
}

// parseQuantity is parseNumber of a cell that may have its unit, "" if it has
// none, behind the number: 25 °C.
func parseQuantity(cell string) (v float64, unit, why string) {
	v, why = parseNumber(cell)
	if why == "" {
		return v, "", ""
	}
	at := strings.LastIndexAny(cell, "0123456789")
	for at >= 0 { // a unit such as g/cm3 has digits of its own
		if u, ok := knownUnit(cell[at+1:]); ok {
			if v, bad := parseNumber(trim(cell[:at+1])); bad == "" {
				return v, u, ""
			}
		}
		at = strings.LastIndexAny(cell[:at], "0123456789")
	}
	return 0, "", why
}

func cutAny(s string, separators ...string) (before, after string, ok bool) {
	for _, sep := range separators {
		if before, after, ok = strings.Cut(s, sep); ok {
			return before, after, true
		}
	}
	return s, "", false
}

// isBound says that a cell gives a number that a value lies above or below.
func isBound(cell string) bool {
	for _, sign := range []string{"<=", ">=", "<", ">", "≤", "≥", "⩽", "⩾"} {
		if rest, ok := strings.CutPrefix(cell, sign); ok {
			_, _, why := parseQuantity(trim(rest))
			return why == ""
		}
	}
	return false
}

// isRange says that a cell gives two numbers that a value lies between.
func isRange(cell string) bool {
	for i, c := range cell {
		if i > 0 && strings.ContainsRune("-–—~…", c) || i > 0 && strings.HasPrefix(cell[i:], "to ") {
			_, _, low := parseQuantity(trim(cell[:i]))
			_, _, high := parseQuantity(trim(strings.TrimPrefix(cell[i+len(string(c)):], "o ")))
			if low == "" && high == "" {
				return true
			}
		}
	}
	return false
}

// numberLike says that a cell is meant for a number, though it may be none that
// can be read: a bound, a range, an estimate.
func numberLike(cell string) bool {
	if isDecimal(cell) {
		return true
	}
	if len(cell) > 64 || !strings.ContainsAny(cell, "0123456789") {
		return false
	}
	if _, _, why := parseQuantity(cell); why == "" {
		return true
	}
	_, _, estimate := parseQuantity(trim(strings.TrimLeft(cell, "~≈∼≅c.a ")))
	return estimate == "" || isBound(cell) || isRange(cell)
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
	case isRange(cell):
		return "is a range, not a value; state one number"
	case strings.ContainsAny(cell, "~≈∼≅"):
		return "is an estimate, not a value; leave the sign out if it will do"
	case strings.ContainsAny(cell, "<>≤≥⩽⩾"):
		return "is a bound, not a value; keep the row (on_defect=keep) and train with \"censored\": true to learn from it"
	case strings.Contains(cell, "±"):
		return "is no value with its error"
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
		return "has something after the number that is no unit known here; units go into a column of their own or the header"
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
