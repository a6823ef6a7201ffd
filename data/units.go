package data

import "strings"

// unitNames maps the ways units are written, lower-cased and without blanks, to
// one. What is not here is compared as it stands.
var unitNames = map[string]string{
	"c": "°C", "°c": "°C", "ºc": "°C", "℃": "°C", "degc": "°C", "deg.c": "°C", "celsius": "°C",
	"k": "K", "kelvin": "K", "f": "°F", "°f": "°F", "fahrenheit": "°F",
	"pa": "Pa", "kpa": "kPa", "mpa": "MPa", "gpa": "GPa", "psi": "psi",
	"g/cm3": "g/cm³", "g/cm^3": "g/cm³", "g/cm³": "g/cm³", "g/cc": "g/cm³", "g/ml": "g/cm³", "gcm-3": "g/cm³",
	"kg/m3": "kg/m³", "kg/m^3": "kg/m³", "kg/m³": "kg/m³",
	"barrer": "Barrer", "log10barrer": "log10 Barrer", "log10(barrer)": "log10 Barrer",
	"ev": "eV", "%": "%", "j/g": "J/g", "kj/mol": "kJ/mol", "j/(gk)": "J/(g K)", "w/mk": "W/(m K)", "w/(mk)": "W/(m K)",
	"s/cm": "S/cm", "g/mol": "g/mol", "nm": "nm", "å": "Å", "mpa.s": "mPa s",
}

// canonicalUnit writes a unit one way.
func canonicalUnit(u string) string {
	u = trim(u)
	if c, ok := unitNames[strings.ToLower(strings.ReplaceAll(u, " ", ""))]; ok {
		return c
	}
	return u
}

// splitUnit takes the unit off a header such as "Tg (K)" or "Density [g/cm3]".
// Only known units count, so that "Permeability (CO2)" stays whole.
func splitUnit(header string) (name, unit string) {
	for _, b := range []string{"()", "[]"} {
		open := strings.LastIndexByte(header, b[0])
		if open <= 0 || header[len(header)-1] != b[1] {
			continue
		}
		word := strings.ToLower(strings.ReplaceAll(header[open+1:len(header)-1], " ", ""))
		if u, ok := unitNames[word]; ok {
			return trim(header[:open]), u
		}
	}
	return header, ""
}
