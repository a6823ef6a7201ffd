package data

import "strings"

// unitNames maps the ways units are written, lower-cased and without blanks, to
// one. What is not here is compared as it stands.
var unitNames = map[string]string{
	"c": "°C", "°c": "°C", "ºc": "°C", "℃": "°C", "degc": "°C", "deg.c": "°C", "celsius": "°C", "degreesc": "°C", "degreec": "°C", "degreecelsius": "°C", "degreescelsius": "°C",
	"k": "K", "kelvin": "K", "kelvins": "K", "degk": "K", "f": "°F", "°f": "°F", "fahrenheit": "°F",
	"pa": "Pa", "kpa": "kPa", "mpa": "MPa", "gpa": "GPa", "psi": "psi", "n/mm2": "MPa", "n/mm²": "MPa",
	"g/cm3": "g/cm³", "g/cm^3": "g/cm³", "g/cm³": "g/cm³", "g/cc": "g/cm³", "g/ml": "g/cm³", "gcm-3": "g/cm³", "gcm^-3": "g/cm³", "gcm⁻³": "g/cm³", "gcc-1": "g/cm³",
	"kg/m3": "kg/m³", "kg/m^3": "kg/m³", "kg/m³": "kg/m³",
	"barrer": "Barrer", "log10barrer": "log10 Barrer", "log10(barrer)": "log10 Barrer",
	"ev": "eV", "%": "%", "j/g": "J/g", "kj/mol": "kJ/mol", "j/(gk)": "J/(g K)", "w/mk": "W/(m K)", "w/(mk)": "W/(m K)",
	"s/cm": "S/cm", "g/mol": "g/mol", "nm": "nm", "å": "Å", "mpa.s": "mPa s",
}

// canonicalUnit writes a unit one way.
func canonicalUnit(u string) string {
	if c, ok := knownUnit(u); ok {
		return c
	}
	return trim(u)
}

// knownUnit is the one way to write a unit, if it is one of unitNames.
func knownUnit(u string) (string, bool) {
	if len(u) > 40 {
		return "", false
	}
	c, ok := unitNames[strings.ToLower(unitBlanks.Replace(u))]
	return c, ok
}

var unitBlanks = strings.NewReplacer(" ", "", "\u00a0", "", "\u2009", "", "\u202f", "", "*", "", "·", "", "−", "-")

// splitUnit takes the unit off a header such as "Tg (K)", "Density [g/cm3]",
// "Tg / K", "Tg, °C", "Tg_K" or "Tg (K) exp". Only known units count, so that
// "Permeability (CO2)" stays whole; without brackets or a sign between, only
// behind a property that has a name here.
func splitUnit(header string) (name, unit string) {
	for _, b := range []string{"()", "[]", "{}"} {
		open := strings.LastIndexByte(header, b[0])
		if open <= 0 {
			continue
		}
		end := strings.IndexByte(header[open:], b[1])
		if end < 0 {
			continue
		}
		rest := trim(header[open+end+1:])
		if u, ok := knownUnit(header[open+1 : open+end]); ok && (rest == "" || rest[0] != '^') {
			return trim(trim(header[:open]) + " " + rest), u
		}
	}
	for _, sep := range []string{" in ", "/", ","} {
		at := strings.Index(header, sep)
		if at <= 0 {
			continue
		}
		text := header[at+len(sep):]
		if u, ok := knownUnit(text); ok && (len(trim(text)) > 1 || isProperty(header[:at])) {
			return trim(header[:at]), u
		}
	}
	if at := strings.LastIndexAny(header, "_ "); at > 0 && isProperty(header[:at]) {
		if u, ok := knownUnit(strings.TrimLeft(header[at+1:], "_ ")); ok {
			return trim(header[:at]), u
		}
	}
	return header, ""
}
