package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// featurized is a line of featurize's output.
type featurized struct {
	SMILES       string
	NAtoms       *int `json:"n_atoms"`
	Atoms, Bonds []string
	Connectivity [][2]int
	Morgan       map[string]int
	Error        *struct {
		Code, Detail string
		Position     int
	}
}

// answer runs featurize on input and decodes its output.
func answer(t *testing.T, input string, flags ...string) []featurized {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"featurize"}, flags...), strings.NewReader(input), &out, &errs); code != 0 {
		t.Fatalf("exit status %d: %s", code, &errs)
	}
	var rows []featurized
	for line := range bytes.Lines(out.Bytes()) {
		var row featurized
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&row); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		rows = append(rows, row)
	}
	return rows
}

// goldenRow is a line of featurize/testdata, written by its gen_golden.py.
type goldenRow struct {
	SMILES         string
	OK             bool
	A1, A2, B1, B2 struct {
		T []string
		I []int
	}
	Conn     [][2]int
	EB       []int
	ErrKind  string `json:"err_kind"`
	ErrPos   int    `json:"err_pos"`
	Problems []struct{ Type string }
	Sparse   map[string]int
}

func goldenRows(t *testing.T, name string) []goldenRow {
	t.Helper()
	file, err := os.Open("../featurize/testdata/" + name + ".jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []goldenRow
	for d := json.NewDecoder(bufio.NewReader(text)); ; {
		var row goldenRow
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			return rows
		} else if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

func lines(rows []goldenRow) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, r.SMILES)
	}
	return b.String()
}

func TestFeaturizeGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"edge", "polyid", "rdkit_wheel"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := slices.DeleteFunc(goldenRows(t, name), func(r goldenRow) bool { return strings.ContainsAny(r.SMILES, "\r\n") })
			got := answer(t, lines(want))
			if len(got) != len(want) {
				t.Fatalf("%d lines out for %d in", len(got), len(want))
			}
			for i, w := range want {
				if d := w.diff(got[i]); d != "" {
					t.Errorf("%q: %s", w.SMILES, d)
				}
			}
		})
	}
}

// diff says what is wrong with an answer, "" if nothing.
func (w goldenRow) diff(got featurized) string {
	if got.SMILES != w.SMILES {
		return fmt.Sprintf("answered for %q", got.SMILES)
	}
	if !w.OK {
		code := "syntax"
		if w.ErrKind == "sanitize" {
			code = "valence"
			if strings.Contains(w.Problems[0].Type, "Kekulize") {
				code = "kekulize"
			}
		}
		switch e := got.Error; {
		case e == nil || got.NAtoms != nil:
			return "no error, want " + code
		case e.Code != code || e.Detail == "" || e.Position < 1:
			return fmt.Sprintf("error %+v, want %s", *e, code)
		case w.ErrPos != 0 && e.Position != w.ErrPos:
			return fmt.Sprintf("position %d, want %d", e.Position, w.ErrPos)
		}
		return ""
	}
	if got.Error != nil {
		return fmt.Sprintf("error %+v", *got.Error)
	}
	if *got.NAtoms != len(w.A1.I) || len(got.Atoms) != len(w.A1.I) || len(got.Bonds) != len(w.EB) {
		return fmt.Sprintf("%d (%d) atoms and %d bonds, want %d and %d", *got.NAtoms, len(got.Atoms), len(got.Bonds), len(w.A1.I), len(w.EB))
	}
	for i, a := range got.Atoms {
		if a != w.A1.T[w.A1.I[i]] {
			return fmt.Sprintf("atom %d is %s, want %s", i, a, w.A1.T[w.A1.I[i]])
		}
	}
	for e, b := range got.Bonds {
		if want := w.B1.T[w.B1.I[w.EB[e]]]; b != want {
			return fmt.Sprintf("edge %d is %s, want %s", e, b, want)
		}
	}
	if !slices.Equal(got.Connectivity, w.Conn) {
		return fmt.Sprintf("connectivity %v, want %v", got.Connectivity, w.Conn)
	}
	return ""
}

func TestFeaturizeFlags(t *testing.T) {
	t.Parallel()
	row := goldenRows(t, "polyid")[0]
	got := answer(t, row.SMILES, "--atom", "atom_features_v2", "--bond=bond_features_v2")[0]
	for i, a := range got.Atoms {
		if a != row.A2.T[row.A2.I[i]] {
			t.Fatalf("atom %d is %s", i, a)
		}
	}
	for e, b := range got.Bonds {
		if b != row.B2.T[row.B2.I[row.EB[e]]] {
			t.Fatalf("edge %d is %s", e, b)
		}
	}
	if got.Morgan != nil {
		t.Error("morgan without --morgan")
	}
}

func TestFeaturizeMorgan(t *testing.T) {
	t.Parallel()
	want := goldenRows(t, "morgan")
	for i, got := range answer(t, lines(want), "--morgan") {
		if !maps.Equal(got.Morgan, want[i].Sparse) {
			t.Errorf("%s: %v, want %v", want[i].SMILES, got.Morgan, want[i].Sparse)
		}
	}
}

// Every line has its answer, whatever is in it.
func TestFeaturizeOddLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("C", 100_000)
	in := []string{"CCO", "", "C C\tname", "CCO\x00", "\xff\xfe", `C\C=C\C"`, "<&>", "日本", long + "%", "C", strings.Repeat("(", 100_000), "O"}
	for ending, end := range map[string]string{"\n": "\n", "\r\n": "\r\n", "no last": ""} {
		separator := "\n"
		if end != "" {
			separator = end
		}
		got := answer(t, strings.Join(in, separator)+end)
		if len(got) != len(in) {
			t.Fatalf("ending %q: %d answers to %d lines", ending, len(got), len(in))
		}
		for i, g := range got {
			if want := strings.ToValidUTF8(strings.ReplaceAll(in[i], "\xff\xfe", "\ufffd\ufffd"), "\ufffd"); g.SMILES != want {
				t.Errorf("ending %q: line %d is given as %.50q, want %.50q", ending, i, g.SMILES, want)
			}
			if (g.Error == nil) == (g.NAtoms == nil) {
				t.Errorf("ending %q: line %d has both or neither of atoms and error", ending, i)
			}
		}
		if *got[1].NAtoms != 0 || got[1].Atoms == nil || got[1].Connectivity == nil {
			t.Errorf("a blank line is not a molecule of no atoms: %+v", got[1])
		}
		if *got[2].NAtoms != 5 {
			t.Errorf("a name changes the molecule: %+v", got[2])
		}
	}
	if got := answer(t, ""); got != nil {
		t.Errorf("no input gives %+v", got)
	}
}

// A line beyond the limit is cut, and the next is a line of its own.
func TestFeaturizeHugeLine(t *testing.T) {
	t.Parallel()
	in := io.MultiReader(io.LimitReader(repeat('('), maxLine+maxLine/2), strings.NewReader("\nCCO\n"))
	var out bytes.Buffer
	if code := run(t.Context(), []string{"featurize"}, in, &out, io.Discard); code != 0 {
		t.Fatal(code)
	}
	first, second, _ := bytes.Cut(out.Bytes(), []byte("\n"))
	var rows [2]featurized
	for i, line := range [][]byte{first, second} {
		if err := json.Unmarshal(line, &rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if len(rows[0].SMILES) != maxLine || rows[0].Error == nil {
		t.Errorf("%d bytes are given, error %v", len(rows[0].SMILES), rows[0].Error)
	}
	if rows[1].SMILES != "CCO" {
		t.Errorf("the next line is %q", rows[1].SMILES)
	}
}

// repeat is an endless stream of one character.
type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// An answer comes while the input is still open.
func TestFeaturizeStreams(t *testing.T) {
	t.Parallel()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(t.Context(), []string{"featurize"}, inR, outW, io.Discard)
		outW.Close()
	}()
	out := bufio.NewReader(outR)
	for _, s := range []string{"C", "bad", "CCO"} {
		fmt.Fprintln(inW, s)
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(line, `{"smiles":"`+s+`",`) {
			t.Fatalf("%q is answered by %s", s, line)
		}
	}
	inW.Close()
	if c := <-code; c != 0 {
		t.Errorf("exit status %d", c)
	}
}

// failing accepts some bytes and then no more.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestFeaturizeFails(t *testing.T) {
	t.Parallel()
	t.Run("writing", func(t *testing.T) {
		t.Parallel()
		var errs bytes.Buffer
		in := strings.NewReader(strings.Repeat("CCO\n", 100_000))
		if code := run(t.Context(), []string{"featurize"}, in, &failing{left: 1 << 20}, &errs); code != 1 {
			t.Errorf("exit status %d, want 1", code)
		}
		if !strings.Contains(errs.String(), "disk full") {
			t.Errorf("it says %q", &errs)
		}
	})
	t.Run("reading", func(t *testing.T) {
		t.Parallel()
		in := io.MultiReader(strings.NewReader("CCO\nCC"), errReader{errors.New("line dropped")})
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"featurize"}, in, &out, &errs); code != 1 {
			t.Errorf("exit status %d, want 1", code)
		}
		if !strings.Contains(errs.String(), "line dropped") {
			t.Errorf("it says %q", &errs)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		inR, inW := io.Pipe()
		defer inW.Close()
		code := make(chan int, 1)
		go func() { code <- run(ctx, []string{"featurize"}, inR, io.Discard, io.Discard) }()
		fmt.Fprintln(inW, "C")
		cancel()
		if c := <-code; c != 1 {
			t.Errorf("exit status %d, want 1", c)
		}
	})
}

// A panic is the answer to its line only, and is told with its stack.
func TestFeaturizeSurvivesDefects(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	w := rowWriter{stderr: &errs} // without a Featurizer
	var row featurized
	if err := json.Unmarshal(w.row(nil, []byte("CCO")), &row); err != nil {
		t.Fatal(err)
	}
	if row.SMILES != "CCO" || row.Error == nil || row.Error.Code != "internal" {
		t.Errorf("answers %+v", row)
	}
	if !strings.Contains(errs.String(), "featurize.go") {
		t.Errorf("no stack in %s", &errs)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }
