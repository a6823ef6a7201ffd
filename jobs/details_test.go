package jobs

import (
	"reflect"
	"strings"
	"testing"
)

func TestDetailsPatch(t *testing.T) {
	t.Parallel()
	d := Details{Name: "PET", Notes: "third try", Tags: []string{"a"}, SharedWith: []string{"bob"}}
	for _, step := range []struct {
		body    string
		changed bool
		want    Details
	}{
		{`{}`, false, d},
		{`{"name": "PET"}`, false, d},
		{`{"tags": ["b", "a", "b"], "shared_with": ["*"]}`, true, Details{Name: "PET", Notes: "third try", Tags: []string{"b", "a"}, SharedWith: []string{"*"}}},
		{`{"notes": null, "tags": []}`, true, Details{Name: "PET", SharedWith: []string{"*"}}},
		{`{"name": "", "shared_with": null, "notes": "two\nlines"}`, true, Details{Notes: "two\nlines"}},
	} {
		p, err := ReadDetailsPatch(strings.NewReader(step.body))
		if err != nil {
			t.Fatalf("%s: %v", step.body, err)
		}
		if changed := p.Apply(&d); changed != step.changed || !reflect.DeepEqual(d, step.want) {
			t.Errorf("%s: %+v, changed %v", step.body, d, changed)
		}
	}
}

func TestDetailsPatchProblems(t *testing.T) {
	t.Parallel()
	many := `["` + strings.Join(strings.Split(strings.Repeat("x", 101), ""), `1","`) + `"]`
	for body, want := range map[string]string{
		``:                           "not a JSON object",
		`[]`:                         "not a JSON object",
		`null`:                       "not a JSON object",
		`{"status": "succeeded"}`:    "/status: is none of name, notes",
		`{"owner": "me", "name": 3}`: "/owner: is none of",
		`{"name": 3}`:                "/name: is not a text",
		`{"name": "a\nb"}`:           "/name: holds a line break",
		`{"name": "` + strings.Repeat("n", 201) + `"}`:    "/name: has 201 bytes",
		`{"notes": "` + strings.Repeat("n", 10001) + `"}`: "/notes: has 10001 bytes",
		`{"tags": "x"}`:                                        "/tags: is not a list",
		`{"tags": ["a", ""]}`:                                  "/tags/1",
		`{"shared_with": ["bob", "a\u0000"]}`:                  "/shared_with/1",
		`{"tags": ` + strings.ReplaceAll(many, "x1", "") + `}`: "/tags",
		strings.Repeat(" ", 70000):                             "more than 65536 bytes",
	} {
		if _, err := ReadDetailsPatch(strings.NewReader(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", body, err, want)
		}
	}
}
