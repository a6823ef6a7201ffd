package structure

import (
	"strings"
	"testing"
)

func TestExtension(t *testing.T) {
	for text, note := range map[string]string{
		"CC": "", " CC ": "", "CC ethane": "ethane", "CC\tethane": "ethane",
		"CC |$a;b$|": "extension", "CC |(0,0,;1,0,)|": "extension", "*CC* |$star_e;;;star_e$|": "extension",
		"C[C@H](O)F |&1:1|": "extension", "CC |(0,0,;1,0,),$a;$| name": "name", "CC ||": "extension",
	} {
		got, err := Extension(text)
		if err != nil || (note == "") != (got == "") || !strings.Contains(got, note) {
			t.Errorf("%q: %q, %v; want a note of %q", text, got, err, note)
		}
	}
	for _, text := range []string{"CC |^1:0|", "C1CCCCC=C1 |c:1|", "C1CCCCC=C1 |t:5|", "CC |nonsense|", "CC |^1:0", "*CC* |Sg:n:1,2::ht|", "CC |C:0.0|", "CC |$a;b$,^2:1|"} {
		if note, err := Extension(text); err == nil {
			t.Errorf("%q passes with %q", text, note)
		}
	}
}
