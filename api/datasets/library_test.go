package datasets

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	noon   = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

func library(t *testing.T, l Limits) (*Library, storage.Bucket) {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return New(b, l, func() time.Time { return noon }), b
}

// table is a small file of polymers with Tg in °C and, for every third row, a
// density.
func table(rows int) string {
	var b strings.Builder
	b.WriteString("smiles_repeat_unit,Tg (C),Density\n")
	for i := range rows {
		fmt.Fprintf(&b, "*C%sO*,%d,", strings.Repeat("C", i+1), 10*i)
		if i%3 == 0 {
			fmt.Fprintf(&b, "%g", 1+float64(i)/100)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func add(t *testing.T, l *Library, csv, name string) *Dataset {
	t.Helper()
	d, err := l.Add(t.Context(), strings.NewReader(csv), name, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// allKeys lists everything in a bucket.
func allKeys(t *testing.T, b storage.Bucket) []string {
	t.Helper()
	var all []string
	for e, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key)
	}
	return all
}

func TestDatasetJSON(t *testing.T) {
	l, _ := library(t, Limits{})
	d := *add(t, l, table(12), "mine")
	if !jobs.ValidID(jobs.DatasetPrefix, d.ID) {
		t.Errorf("the id is %s", d.ID)
	}
	d.ID = "ds_x"
	have, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	have = append(have, '\n')
	const golden = "testdata/dataset.json"
	if *update {
		if err := os.WriteFile(golden, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("the dataset is\n%s, want\n%s", have, want)
	}
}

// Every defect is told at once, and a file that is refused leaves nothing.
func TestDefects(t *testing.T) {
	l, b := library(t, Limits{HeavyAtoms: 100})
	long := strings.Repeat("C", 101)
	csv := "smiles_polymer,Tg\nCC(C,1\nCCO,two\n" + long + ",3\nc1cccc1,4\nCCCC,5\n"
	_, err := l.Add(t.Context(), strings.NewReader(csv), "bad", "")
	var e *jobs.Error
	if !errors.As(err, &e) || e.Code != jobs.Invalid {
		t.Fatalf("Add = %v, want invalid", err)
	}
	var at []string
	for _, p := range e.Problems {
		at = append(at, p.Pointer)
	}
	want := []string{"/rows/2/smiles_polymer", "/rows/3/Tg", "/rows/4/smiles_polymer", "/rows/5/smiles_polymer"}
	if !slices.Equal(at, want) {
		t.Errorf("problems at %v, want %v: %v", at, want, e.Problems)
	}
	for name, csv := range map[string]string{
		"no rows":        "smiles_polymer,Tg\n",
		"nothing":        "",
		"a word":         "x",
		"a long chain":   "smiles_repeat_unit,DP,Tg\n*CCCCCCCCCC*,11,3\n*CC*,10,4\n",
		"two names":      "smiles_polymer,Tg,Tg\nCC,1,2\n",
		"broken quotes":  "smiles_polymer,Tg\n\"CC,1\n",
		"binary":         "\x00\x01\x02",
		"nonsense units": "smiles_monomer,mechanism,Tg\nOCC(=O)O,magic,1\n",
	} {
		if _, err := l.Add(t.Context(), strings.NewReader(csv), "bad", ""); jobs.ErrorCode(err) != jobs.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if left := allKeys(t, b); len(left) > 0 {
		t.Errorf("refused files left %v", left)
	}
}

// Rows with defects are dropped or kept as asked, and the report says which.
func TestOnDefect(t *testing.T) {
	l, _ := library(t, Limits{HeavyAtoms: 100})
	var b strings.Builder
	b.WriteString("name,SMILES,Tg (°C)\n")
	for i := range 20 {
		fmt.Fprintf(&b, "p%d,*C%sO*,%d\n", i, strings.Repeat("C", i), 5*i-40)
	}
	b.WriteString("a,*CC,1\nb,*C(*)C*,2\nc,*C(*)C(*)C*,3\nd,*CC*,<5\ne,*C(C*,4\n")
	for _, on := range []OnDefect{"", Refuse} {
		_, err := l.Add(t.Context(), strings.NewReader(b.String()), "mine", on)
		var e *jobs.Error
		if !errors.As(err, &e) || len(e.Problems) != 5 || e.Problems[0].Pointer != "/rows/22/SMILES" || !strings.Contains(e.Problems[0].Detail, "has 1 *") ||
			!strings.Contains(e.Problems[1].Detail, "has 3 *") || !strings.Contains(e.Problems[2].Detail, "has 4 *") {
			t.Errorf("%q: %v, want five problems", on, err)
		}
	}
	d, err := l.Add(t.Context(), strings.NewReader(b.String()), "mine", Drop)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Report(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d.Rows != 20 || d.Polymers != 20 || len(d.Targets) != 1 || r.Dropped != 5 || r.Rows != 25 || len(r.Defects) != 5 || r.Defects[3].Code != data.Bound || r.Defects[3].Row != 25 {
		t.Errorf("dropped: %+v, report %+v", d, r)
	}
	if _, err := l.Open(t.Context(), data.Names{d.ID}, data.Columns{}, Use{}); err != nil {
		t.Error("the rest is not trained on:", err)
	}
	if d, err = l.Add(t.Context(), strings.NewReader(b.String()), "mine", Keep); err != nil || d.Rows != 25 {
		t.Errorf("kept: %+v, %v", d, err)
	}
	// A table without targets is a library.
	if d, err = l.Add(t.Context(), strings.NewReader("smiles_repeat_unit\n*CC*\n*CC\n"), "library", ""); err != nil || d.Rows != 2 || len(d.Targets) != 0 {
		t.Errorf("a library: %+v, %v", d, err)
	}
	for name, text := range map[string]string{
		"names":          "polymer,Tg\npolyethylene,-120\nnylon,50\n",
		"all bad":        "smiles_repeat_unit\n*CC\nCC\n",
		"all bad and Tg": "smiles_repeat_unit,Tg\n*CC,1\nCC,2\n",
	} {
		for _, on := range []OnDefect{"", Refuse, Drop, Keep} {
			if _, err := l.Add(t.Context(), strings.NewReader(text), "none", on); jobs.ErrorCode(err) != jobs.Invalid {
				t.Errorf("%s, %q: %v, want invalid", name, on, err)
			}
		}
	}
}

// The report finds what a chemist should look at.
func TestReportFindings(t *testing.T) {
	l, _ := library(t, Limits{})
	var b strings.Builder
	b.WriteString("smiles_repeat_unit,Tg (°C),year\n")
	for i := range 30 {
		fmt.Fprintf(&b, "*C%sO*,%d,%d\n", strings.Repeat("C", i+2), 3*i-40, 1990+i)
	}
	b.WriteString("*CCCC*,10,2001\n*CC*,10.1,2002\n*OCCC*,200,2003\n*CCN*,99999,2004\n*CCS*,-999,2005\n*NCCN*,310,2006\n")
	d := add(t, l, b.String(), "odd")
	r, err := l.Report(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]Finding{}
	for _, f := range r.Findings {
		have[f.Code] = f
	}
	for code, rows := range map[string][]int{
		findDuplicates: {32, 33}, findConflicts: {2, 34}, findOutliers: {35, 36}, findUnits: {37}, findUnlikely: {},
	} {
		if f, ok := have[code]; !ok || !slices.Equal(f.Rows, rows) || f.Detail == "" || len(f.Actions) == 0 {
			t.Errorf("%s: %+v, want rows %v", code, f, rows)
		}
	}
	if d.Polymers != 34 || len(d.Targets) != 1 {
		t.Errorf("%d polymers, targets %v", d.Polymers, d.Targets)
	}
	if shipped, err := l.Report(t.Context(), "polymers_seven_properties"); err != nil || len(shipped.Findings) == 0 {
		t.Errorf("of a shipped table: %+v, %v", shipped, err)
	}
}

// What a job's choice of columns can mend is listed and no obstacle.
func TestMendableDefects(t *testing.T) {
	l, _ := library(t, Limits{})
	d := add(t, l, table(12), "few densities")
	if len(d.Defects) != 1 || d.Defects[0].Code != data.TooFewValues || d.Defects[0].Column != "Density" {
		t.Errorf("defects %v, want too few densities", d.Defects)
	}
	if _, err := l.Open(t.Context(), data.Names{d.ID}, data.Columns{}, Use{}); jobs.ErrorCode(err) != jobs.Invalid {
		t.Errorf("opening all columns: %v, want invalid", err)
	}
	opened, err := l.Open(t.Context(), data.Names{d.ID}, data.Columns{Targets: []string{"glass transition"}}, Use{})
	if err != nil || opened.Rows() != 12 || opened.Targets[0].Units != "°C" {
		t.Errorf("opening one column: %v", err)
	}
	other := add(t, l, "structure,Tg\n"+strings.Repeat("*CC*,1\n", 1)+"*CCC*,2\n", "own names")
	if len(other.Defects) == 0 || other.Rows != 2 {
		t.Errorf("a table of unknown columns: %+v", other)
	}
	opened, err = l.Open(t.Context(), data.Names{other.ID}, data.Columns{Roles: data.Roles{RepeatUnit: "structure"}}, Use{MinValues: 2})
	if err != nil || opened.Rows() != 2 {
		t.Errorf("with its columns named: %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	for name, limits := range map[string]Limits{"bytes": {Bytes: 100}, "rows": {Rows: 5}} {
		l, _ := library(t, limits)
		if _, err := l.Add(t.Context(), strings.NewReader(table(12)), "", ""); jobs.ErrorCode(err) != jobs.TooLarge {
			t.Errorf("%s: %v, want too large", name, err)
		}
	}
	// A small archive of much.
	l, _ := library(t, Limits{Bytes: 10_000})
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, table(12)+strings.Repeat("*CC*,1,1\n", 10_000))
	z.Close()
	if _, err := l.Add(t.Context(), &b, "", ""); jobs.ErrorCode(err) != jobs.TooLarge {
		t.Errorf("a bomb: %v, want too large", err)
	}
}

// The same content under the same name is one dataset, however it is packed and
// however many bring it at once.
func TestSameContent(t *testing.T) {
	l, b := library(t, Limits{})
	var b2 bytes.Buffer
	z := gzip.NewWriter(&b2)
	fmt.Fprint(z, strings.ReplaceAll(table(12), "\n", "\r\n"))
	z.Close()
	var mu sync.Mutex
	ids := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			file := []byte(table(12))
			if i%2 == 0 {
				file = b2.Bytes()
			}
			d, err := l.Add(t.Context(), bytes.NewReader(file), "mine", "")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[d.ID] = true
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("one file became %v", ids)
	}
	if all := allKeys(t, b); len(all) != 4 {
		t.Errorf("stored %v, want table, report, meta and entry", all)
	}
	if other := add(t, l, table(12), "yours"); ids[other.ID] {
		t.Error("another name is the same dataset")
	}
}

func TestDelete(t *testing.T) {
	l, b := library(t, Limits{})
	d := add(t, l, table(12), "mine")
	if err := l.Delete(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if left := allKeys(t, b); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	for _, id := range []string{d.ID, "ds_nope", "../" + d.ID, ""} {
		if err := l.Delete(t.Context(), id); jobs.ErrorCode(err) != jobs.NotFound {
			t.Errorf("deleting %q: %v, want not found", id, err)
		}
	}
	if err := l.Delete(t.Context(), "stereopolymer_input_nopush"); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("deleting a shipped one: %v, want a conflict", err)
	}
	if again := add(t, l, table(12), "mine"); again.ID == d.ID {
		t.Error("a deleted dataset came back")
	}
}

func TestList(t *testing.T) {
	l, _ := library(t, Limits{})
	var want []string
	for i := range 5 {
		want = append(want, add(t, l, table(12), fmt.Sprint(i)).ID)
	}
	slices.Sort(want) // ids made in one millisecond are not in order of their making
	slices.Reverse(want)
	want = append(want, "stereopolymer_input_nopush", "polymers_seven_properties")
	var have []string
	for after := ""; ; after = have[len(have)-1] {
		page, err := l.List(t.Context(), after, 2)
		if err != nil || len(page.Datasets) > 2 {
			t.Fatalf("%d datasets, %v", len(page.Datasets), err)
		}
		for _, d := range page.Datasets {
			have = append(have, d.ID)
		}
		if !page.More {
			break
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("listed %v, want %v", have, want)
	}
}

func TestShipped(t *testing.T) {
	l, _ := library(t, Limits{})
	d, err := l.Get(t.Context(), "stereopolymer_input_nopush")
	if err != nil || d.Rows != 229 || len(d.Targets) != 2 || d.Targets[0].Name != "Tg" || d.Targets[0].Units != "°C" || !d.Shipped || d.CreatedAt != nil {
		t.Errorf("dataset %+v, %v", d, err)
	}
	both, err := l.Open(t.Context(), data.Names{"stereopolymer_input_nopush", "polymers_seven_properties"}, data.Columns{}, Use{})
	if err != nil {
		t.Fatal(err)
	}
	if both.Rows() != 229+1503 || len(both.Targets) != 7 {
		t.Errorf("joined: %d rows, %+v, %v", both.Rows(), both.Targets, err)
	}
}

func TestOpenProblems(t *testing.T) {
	l, _ := library(t, Limits{})
	for name, c := range map[string]struct {
		names   data.Names
		columns data.Columns
		at      string
		says    string
	}{
		"unknown":          {data.Names{"stereopolymer_nopush"}, data.Columns{}, "/dataset", "is it stereopolymer_input_nopush?"},
		"unknown of two":   {data.Names{"stereopolymer_input_nopush", "ds_x"}, data.Columns{}, "/dataset/1", "no dataset"},
		"twice":            {data.Names{"stereopolymer_input_nopush", "stereopolymer_input_nopush"}, data.Columns{}, "/dataset/1", "twice"},
		"unknown column":   {data.Names{"polymers_seven_properties"}, data.Columns{Targets: []string{"Density", "Densty"}}, "/prediction_columns/1", "is it Density?"},
		"unknown role":     {data.Names{"polymers_seven_properties"}, data.Columns{Roles: data.Roles{Polymer: "chain"}}, "/columns", "chain"},
		"too few of Tm":    {data.Names{"stereopolymer_input_nopush"}, data.Columns{Targets: []string{"Tg", "Tm"}}, "/prediction_columns/1", "1000 are needed"},
		"contrary to unit": {data.Names{"polymers_seven_properties"}, data.Columns{Targets: []string{"Density"}, Units: map[string]string{"Density": "K"}}, "", ""},
	} {
		min := 0
		if strings.HasPrefix(name, "too few") {
			min = 1000
		}
		_, err := l.Open(t.Context(), c.names, c.columns, Use{MinValues: min})
		var e *jobs.Error
		if c.at == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.As(err, &e) || e.Code != jobs.Invalid || !slices.ContainsFunc(e.Problems, func(p jobs.Problem) bool {
			return p.Pointer == c.at && strings.Contains(p.Detail, c.says)
		}) {
			t.Errorf("%s: %v, want a problem at %s that says %q", name, err, c.at, c.says)
		}
	}
}

// A hold-out table need not have every target, but one, and whole rows.
func TestOpenHoldout(t *testing.T) {
	l, _ := library(t, Limits{})
	d := add(t, l, table(3), "holdout")
	columns := data.Columns{Targets: []string{"Tg", "Tm"}}
	opened, err := l.Open(t.Context(), data.Names{d.ID}, columns, Use{Holdout: true})
	if err != nil || opened.Rows() != 3 || len(opened.Targets) != 2 {
		t.Errorf("one of two targets: %v", err)
	}
	columns.Targets = []string{"Tm"}
	if _, err := l.Open(t.Context(), data.Names{d.ID}, columns, Use{Holdout: true}); jobs.ErrorCode(err) != jobs.Invalid {
		t.Errorf("none of the targets: %v, want invalid", err)
	}
}

// A table is parsed once, whoever asks, and forgotten when others take its place.
func TestCache(t *testing.T) {
	l, _ := library(t, Limits{})
	d := add(t, l, table(12), "mine")
	open := func(target string) *Table {
		opened, err := l.Open(t.Context(), data.Names{d.ID}, data.Columns{Targets: []string{target}}, Use{MinValues: 2})
		if err != nil {
			t.Error(err)
		}
		return opened
	}
	first := open("Tg")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if open("Tg") != first {
				t.Error("parsed again")
			}
		})
	}
	wg.Wait()
	if open("Density") == first {
		t.Error("other columns gave the same table")
	}
	if l.tables.rows != 24 {
		t.Errorf("%d rows are kept, want 24", l.tables.rows)
	}
	if err := l.Delete(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(t.Context(), data.Names{d.ID}, data.Columns{Targets: []string{"Tg"}}, Use{MinValues: 2}); jobs.ErrorCode(err) != jobs.Invalid {
		t.Errorf("a deleted dataset opens: %v", err)
	}
}
