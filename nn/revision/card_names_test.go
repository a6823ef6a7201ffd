package revision

import "testing"

// What a user calls a column is shown as it is called, and is no markup.
func TestCardEscapesNames(t *testing.T) {
	for name, want := range map[string]string{
		"Tg":                                "Tg",
		"log10_Permeability_CO2":            "log10_Permeability_CO2",
		"<img src=x onerror=alert(1)>":      "&lt;img src=x onerror=alert(1)&gt;",
		"**bold** _it_ `code`":              "\\*\\*bold\\*\\* \\_it\\_ \\`code\\`",
		"[here](https://example.org) | ~x~": "\\[here\\](https:&#47;&#47;example.org) \\| \\~x\\~",
		"a\nb":                              "a b",
	} {
		if got := words(name); got != want {
			t.Errorf("%q is written %q, want %q", name, got, want)
		}
	}
}
