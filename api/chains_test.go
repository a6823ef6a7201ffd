package main

import (
	"strings"
	"testing"
)

func TestChainsFlag(t *testing.T) {
	var c chainsFlag
	job, err := c.into([]byte(`{"dataset": "x", "chains": {"dp": 4}}`))
	if err != nil || string(job) != `{"dataset": "x", "chains": {"dp": 4}}` {
		t.Errorf("without the flag the job is %s, %v", job, err)
	}
	if err := c.UnmarshalText([]byte(`{"periodic": true}`)); err != nil {
		t.Fatal(err)
	}
	job, err = c.into([]byte(`{"dataset": "x", "chains": {"dp": 4}}`))
	if want := `{"chains":{"dp":18,"max_heavy_atoms":1200,"periodic":true,"replicates":1},"dataset":"x"}`; err != nil || string(job) != want {
		t.Errorf("the job is %s, %v, want %s", job, err, want)
	}
	for text, says := range map[string]string{`{"ring": true}`: "ring", `periodic`: "want JSON", `{"dp": -1}`: "dp: -1"} {
		if err := c.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s gives %v, which does not say %q", text, err, says)
		}
	}
}

// A flag's field wins over the job's own, and leaves the others.
func TestWithField(t *testing.T) {
	got, err := withField([]byte(`{"dataset":"x","recipe":"polyid"}`), "--recipe", "recipe", "accurate")
	if err != nil || string(got) != `{"dataset":"x","recipe":"accurate"}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := withField([]byte(`[1]`), "--recipe", "recipe", "accurate"); err == nil {
		t.Error("a job that is no object was taken")
	}
}
