package expression_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs/expression"
)

var schema = expression.NewSchema([]expression.Column{
	{Name: "Tg", Kind: expression.Number}, {Name: "Density", Kind: expression.Number}, {Name: "in_domain", Kind: expression.Truth},
	{Name: "error", Kind: expression.Text},
	{Name: "Tg", Kind: expression.Number, Input: true}, {Name: "name", Kind: expression.Text, Input: true},
	{Name: "Mn (g/mol)", Kind: expression.Number, Input: true},
})

func row() *expression.Row {
	r := schema.NewRow()
	for i, v := range []any{160.0, 1.05, true, "", 20.0, "PET", 25000.0} {
		r.Set(i, v)
	}
	return r
}

func TestValue(t *testing.T) {
	r := row()
	for source, want := range map[string]any{
		"Tg > 150 && Density < 1.1 && in_domain":   true,
		"Tg > 150 and not in_domain":               false,
		"-Tg":                                      -160.0,
		"Tg / Density":                             160 / 1.05,
		"Tg - input.Tg":                            140.0,
		`input["Mn (g/mol)"] / 1000`:               25.0,
		`result["Tg"] * 2`:                         320.0,
		`name in ["PET", "PLA"]`:                   true,
		`name startsWith "P" && length(name) == 3`: true,
		`lower(name) matches "^p.t$"`:              true,
		"max(Tg, 1, 200) + abs(-3)":                203.0,
		"log10(100) + sqrt(4) + round(2.4)":        6.0,
		"Tg > 100 ? 1 : 0":                         1.0,
		"2 ** 3":                                   8.0,
		"1":                                        1.0,
	} {
		e, err := schema.Compile(source, expression.Number, expression.Text, expression.Truth)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := e.Value(r); got != want {
			t.Errorf("%s is %v, want %v", source, got, want)
		}
	}
}

// What is missing makes comparisons false, and never an error.
func TestMissing(t *testing.T) {
	r := schema.NewRow()
	for source, want := range map[string]bool{
		"Tg > 150": false, "Tg < 150": false, "Tg == 150": false, "missing(Tg)": true, "missing(1)": false, "in_domain": false, `name == ""`: true, "Tg / 0 > 1": false,
	} {
		e, err := schema.Compile(source, expression.Truth)
		if err != nil {
			t.Fatal(err)
		}
		if e.True(r) != want {
			t.Errorf("%s of a row without values is not %v", source, want)
		}
	}
	e, err := schema.Compile("Tg * 2", expression.Number)
	if err != nil || !math.IsNaN(e.Number(r)) {
		t.Errorf("a product of what is missing: %v, %v", e.Number(r), err)
	}
}

// What cannot be is refused at once, with where and what to do.
func TestRefused(t *testing.T) {
	for source, want := range map[string]struct {
		position int
		says     string
	}{
		"Tq > 150":                         {1, "is it Tg?"},
		"in_domain && Viscosity > 1":       {14, "the columns are"},
		"Tg >":                             {4, "ends too early"},
		"Tg > 150 &&":                      {11, "ends too early"},
		`Tg > "hot"`:                       {4, ""},
		"Tg":                               {1, "true or false is wanted"},
		"":                                 {1, "empty"},
		"filter([1], true)":                {13, ""},
		"len(1..1000000000) > 0":           {6, "no operator"},
		"1..1000000000 == name":            {2, ""},
		`name matches name`:                {6, "pattern"},
		`name matches "("`:                 {6, ""},
		"now() > 1":                        {1, ""},
		"input.secret == 1":                {7, "secret"},
		"let x = Tg; x > 1":                {5, ""},
		"{a: 1}.a == 1":                    {1, ""},
		"any([1], {# > 0})":                {11, ""},
		"system(\"ls\") == 1":              {1, "no such function"},
		strings.Repeat("(", 500) + "Tg":    {0, ""},
		strings.Repeat("!", 1500) + "true": {0, ""},
		"Tg" + strings.Repeat("+Tg", 600) + " > 1": {0, ""},
		strings.Repeat(" ", 3000) + "true":         {1, "more than 2000"},
		"in_domain\x00":                            {0, ""},
	} {
		began := time.Now()
		_, err := schema.Compile(source, expression.Truth)
		var e *expression.Error
		if !errors.As(err, &e) {
			t.Errorf("%.60s: %v, want an Error", source, err)
			continue
		}
		if want.position > 0 && e.Position != want.position || !strings.Contains(e.Detail, want.says) {
			t.Errorf("%.60s: %v; want position %d and %q", source, err, want.position, want.says)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%.60s: refused after %s", source, took)
		}
	}
}

// Whatever is compiled ends, and gives its kind.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"Tg > 150 && in_domain", "-Tg", "name in [\"a\"]", "input[\"Mn (g/mol)\"] ** 2", "Tg ? 1 : 2"} {
		f.Add(s)
	}
	r := row()
	f.Fuzz(func(t *testing.T, source string) {
		e, err := schema.Compile(source, expression.Number, expression.Text, expression.Truth)
		if err != nil {
			if !errors.As(err, new(*expression.Error)) {
				t.Fatalf("%q: %v is no Error", source, err)
			}
			return
		}
		e.Value(r)
	})
}

func BenchmarkTrue(b *testing.B) {
	e, err := schema.Compile("Tg > 150 && Density < 1.1 && in_domain", expression.Truth)
	if err != nil {
		b.Fatal(err)
	}
	r := row()
	for b.Loop() {
		e.True(r)
	}
}
