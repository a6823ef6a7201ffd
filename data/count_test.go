package data

import (
	"errors"
	"strings"
	"testing"
)

func TestCountRows(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
		err        error
	}{
		{"two rows", "a,b\n1,2\n3,4\n", 2, nil},
		{"a quoted line break", "a,b\n\"1\n2\",3\n", 1, nil},
		{"a header", "a,b\n", 0, nil},
		{"nothing", "", -1, nil},
		{"a wide row", "a\n" + strings.Repeat(",", 1<<20), 0, ErrTooLarge},
		{"a long cell", "a\n\"" + strings.Repeat("C", 2<<20), 0, ErrTooLarge},
		{"an open quote", "a\n\"b", 1, nil}, // quotes are read lazily
	} {
		if n, err := CountRows(strings.NewReader(c.text)); n != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, n, err, c.want, c.err)
		}
	}
}

// Long lists are refused as such, not entry by entry.
func TestColumnsValidateLongLists(t *testing.T) {
	units := map[string]string{}
	for i := range 2000 {
		units[strings.Repeat("a", i+1)] = ""
	}
	for field, c := range map[string]Columns{
		"prediction_columns": {Targets: make([]string, 100_000)},
		"units":              {Units: units},
	} {
		var setting *SettingError
		if err := c.Validate(); !errors.As(err, &setting) || setting.Field != field || len(err.Error()) > 200 {
			t.Errorf("%s: %.300v", field, err)
		}
	}
}
