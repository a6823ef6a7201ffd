package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// polymerLine is a line of polymerize's output.
type polymerLine struct {
	Input     string
	Replicate *int
	SMILES    string `json:"smiles_polymer"`
	Error     *struct {
		Code, Detail string
		Position     int
	}
}

func polymerize(t *testing.T, stdin string, args ...string) (list []polymerLine) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"polymerize"}, args...), strings.NewReader(stdin), &out, &errs); code != 0 {
		t.Fatalf("polymerize %v: exit status %d: %s", args, code, &errs)
	}
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	for dec.More() {
		var l polymerLine
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}

func TestPolymerize(t *testing.T) {
	t.Parallel()
	lines := polymerize(t, "NCCCCCC(=O)O\nNCC(=O)O\r\n", "--mechanism", "amide", "--dp", "2", "--replicates", "2")
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprint(l.Input, " ", *l.Replicate, " ", l.SMILES))
	}
	want := []string{
		"NCCCCCC(=O)O 0 NCCCCCC(=O)NCCCCCC(=O)O", "NCCCCCC(=O)O 1 NCCCCCC(=O)NCCCCCC(=O)O",
		"NCC(=O)O 0 NCC(=O)NCC(=O)O", "NCC(=O)O 1 NCC(=O)NCC(=O)O",
	}
	if !slices.Equal(got, want) {
		t.Errorf("polymerize answers %q, want %q", got, want)
	}
}

func TestPolymerizeErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		input    string
		code     string
		position int
	}{
		{"C=C.C=C(", "syntax", 8},
		{"C=C.CC(C)(C)(C)C", "valence", 6},
		{"C=C.CC", "lacks_groups", 5},
		{"C=C..C", "invalid_monomers", 5},
		{"", "invalid_monomers", 0},
		{"('C=C', 'C')", "lacks_groups", 10},
	} {
		lines := polymerize(t, c.input+"\n", "--mechanism", "vinyl", "--dp", "3", "--replicates", "3")
		if len(lines) != 1 || lines[0].Error == nil || lines[0].Replicate != nil {
			t.Errorf("%s: %+v, want one error", c.input, lines)
			continue
		}
		if e := lines[0].Error; e.Code != c.code || e.Position != c.position || e.Detail == "" || lines[0].Input != c.input {
			t.Errorf("%s: %+v, want %s at %d", c.input, *e, c.code, c.position)
		}
	}
}

// TestPolymerizeShort has a DP that is too small for this mechanism, if not for
// all.
func TestPolymerizeShort(t *testing.T) {
	t.Parallel()
	lines := polymerize(t, "C=C\nC=CC\n", "--mechanism", "vinyl", "--dp", "1")
	if len(lines) != 2 || lines[1].Error == nil || lines[1].Error.Code != "invalid_dp" {
		t.Errorf("a vinyl polymer of one: %+v", lines)
	}
}

// TestPolymerizeStops has chains that stop by chance, and chains that always do.
func TestPolymerizeStops(t *testing.T) {
	t.Parallel()
	lines := polymerize(t, "NCCO.OC(=O)CCCCC(=O)O", "--mechanism", "ester", "--dp", "2", "--replicates", "40")
	stopped := 0
	for i, l := range lines {
		if *l.Replicate != i || (l.Error == nil) == (l.SMILES == "") {
			t.Errorf("line %d is %+v", i, l)
		}
		if l.Error != nil {
			stopped++
		}
	}
	if len(lines) != 40 || stopped == 0 || stopped == 40 {
		t.Errorf("%d of %d chains stopped", stopped, len(lines))
	}
	lines = polymerize(t, "NCCO.OC(=O)CCCCC(=O)O", "--mechanism", "ester", "--dp", "4", "--replicates", "40")
	if len(lines) != 1 || lines[0].Error == nil || lines[0].Error.Code != "chain_stopped" {
		t.Errorf("chains that cannot be: %+v", lines)
	}
}

func TestPolymerizeSeed(t *testing.T) {
	t.Parallel()
	args := []string{"--mechanism", "vinyl", "--pm", "0.5", "--dp", "18", "--distribution", "3,1", "--replicates", "3", "--seed"}
	const input = "C=CC.C=Cc1ccccc1"
	text := func(seed string) string {
		var b strings.Builder
		for _, l := range polymerize(t, input, append(args, seed)...) {
			b.WriteString(l.SMILES + "\n")
		}
		return b.String()
	}
	if first, second := text("1"), text("1"); first != second {
		t.Error("the same seed gives other chains")
	}
	if text("1") == text("2") {
		t.Error("two seeds give the same chains")
	}
}

func TestPolymerizeUsage(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"--dp 3", "--mechanism vinyl", "--mechanism nosuch --dp 3", "--mechanism vinyl --dp 0", "--mechanism vinyl --dp x",
		"--mechanism vinyl --dp 3 --pm 1.2", "--mechanism amide --dp 3 --pm 1", "--mechanism vinyl --dp 3 --replicates 0",
		"--mechanism vinyl --dp 3 --seed -1",
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"polymerize"}, strings.Fields(args)...), strings.NewReader("C=C\n"), &out, &errs); code != 2 {
			t.Errorf("polymerize %s: exit status %d, want 2", args, code)
		}
		if out.Len() > 0 || errs.Len() == 0 {
			t.Errorf("polymerize %s: wrote %q and complained %q", args, &out, &errs)
		}
	}
}

// What is missing is called missing, not unknown.
func TestPolymerizeMissingFlag(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	run(t.Context(), []string{"polymerize", "--dp", "3"}, strings.NewReader("C=C\n"), &out, &errs)
	if got := errs.String(); !strings.Contains(got, "missing flags: --mechanism") {
		t.Errorf("complained %q, not of a missing --mechanism", got)
	}
}
