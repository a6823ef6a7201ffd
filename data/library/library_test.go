package library

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
)

func write(t *testing.T, b storage.Bucket, r io.Reader, l Limits) (*Library, error) {
	t.Helper()
	if _, err := Write(t.Context(), b, "datasets/x/library/", r, data.Columns{}, data.Options{}, l); err != nil {
		return nil, err
	}
	return Open(t.Context(), b, "datasets/x/library/")
}

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func cells(t *testing.T, s *data.Sheet) (rows []string) {
	t.Helper()
	for _, l := range s.Rows {
		text := strings.Join(l.AppendCells(nil), "|")
		if d := l.Broken(); d != nil {
			text = "broken: " + d.Reason
		}
		rows = append(rows, fmt.Sprintf("%d %s", l.Row, text))
	}
	return rows
}

// What is written in segments is read, by any ranges, as the file in one piece.
func TestLibrary(t *testing.T) {
	var text strings.Builder
	text.WriteString("a title above\nname,smiles_repeat_unit,Mn,note\n")
	for i := range 3000 {
		switch {
		case i%100 == 7:
			fmt.Fprintf(&text, "p%d,*C\"C*,%d,broken\n", i, i)
		case i%100 == 8:
			fmt.Fprintf(&text, "p%d,*CC*\n", i)
		default:
			fmt.Fprintf(&text, "p%d,*C%s*,%d.5,\"a, \"\"note\"\"\"\n", i, strings.Repeat("C", i%7), i)
		}
	}
	whole, err := data.ReadSheet(strings.NewReader(text.String()), "", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := cells(t, whole)
	faulty := &storagetest.Faulty{Bucket: bucket(t), Fail: func(call int, _, _ string) storagetest.Fault {
		return []storagetest.Fault{storagetest.Refused, storagetest.None, storagetest.LostAnswer, storagetest.None}[call%4]
	}}
	l, err := write(t, &storage.Retry{Bucket: faulty, First: time.Nanosecond}, strings.NewReader(text.String()), Limits{segment: 5000})
	if err != nil {
		t.Fatal(err)
	}
	x := l.Index()
	if x.Rows != 3000 || x.Broken != 30 || len(x.Segments) < 10 || x.Roles.RepeatUnit != "smiles_repeat_unit" {
		t.Fatalf("index: %d rows, %d broken, %d segments, %+v", x.Rows, x.Broken, len(x.Segments), x.Roles)
	}
	if got := fmt.Sprint(x.Numeric); got != "[false false true false]" {
		t.Errorf("numeric columns %s", got)
	}
	for _, r := range [][2]int64{{0, 3000}, {0, 1}, {2999, 3000}, {950, 2100}, {7, 9}, {5, 5}} {
		s, err := l.Sheet(t.Context(), r[0], r[1])
		if err != nil {
			t.Fatal(err)
		}
		if got := cells(t, s); strings.Join(got, "\n") != strings.Join(want[r[0]:r[1]], "\n") {
			t.Errorf("rows %d to %d are not those of the file", r[0], r[1])
		}
	}
	if _, err := l.Sheet(t.Context(), 2999, 3001); err == nil {
		t.Error("a range beyond the end is read")
	}
}

// Files that are none, too large or hostile are refused, and leave no library.
func TestLibraryRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		l    Limits
		want error
	}{
		"no structure":     {"name,Mn\na,1\nb,2\n", Limits{}, data.ErrFormat},
		"empty":            {"", Limits{}, data.ErrFormat},
		"too many rows":    {"smiles_repeat_unit\n" + strings.Repeat("*CC*\n", 30), Limits{Rows: 20}, data.ErrTooLarge},
		"too many bytes":   {"smiles_repeat_unit\n" + strings.Repeat("*CC*\n", 30), Limits{Bytes: 100}, data.ErrTooLarge},
		"endless quote":    {"smiles_repeat_unit\n\"" + strings.Repeat("*CC*\n", 100_000), Limits{}, data.ErrTooLarge},
		"a picture":        {"\x89PNG\r\n", Limits{}, data.ErrFormat},
		"structures later": {"x\n" + strings.Repeat("?\n", 2000) + "*CC*\n", Limits{}, data.ErrFormat},
	} {
		b := bucket(t)
		if _, err := write(t, b, strings.NewReader(c.text), c.l); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if _, err := Open(t.Context(), b, "datasets/x/library/"); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("%s: it left a library: %v", name, err)
		}
	}
}

// A segment that is not what was written is an error, never other rows.
func TestLibraryDamaged(t *testing.T) {
	b := bucket(t)
	l, err := write(t, b, strings.NewReader("smiles_repeat_unit\n*CC*\n*CCO*\n"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), segmentKey(l.prefix, 0), strings.NewReader("x"), 1, storage.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Sheet(t.Context(), 0, 1); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged segment: %v, want ErrDamaged", err)
	}
}

// endless makes a file of n rows without holding it.
type endless struct {
	n, at int
	rest  []byte
}

func (e *endless) Read(p []byte) (int, error) {
	for len(e.rest) < len(p) && e.at <= e.n {
		if e.at == 0 {
			e.rest = append(e.rest, "name,smiles_repeat_unit\n"...)
		} else {
			e.rest = fmt.Appendf(e.rest, "polymer %d,*CC(*)C(=O)OCC%d\n", e.at, e.at)
		}
		e.at++
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Memory does not grow with the rows.
func TestLibraryMemory(t *testing.T) {
	rows := 400_000
	if testing.Short() {
		t.Skip("writes a library of many rows")
	}
	l, err := write(t, bucket(t), &endless{n: rows}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for from := int64(0); from < int64(rows); from += 1000 {
		s, err := l.Sheet(t.Context(), from, from+1000)
		if err != nil || len(s.Rows) != 1000 {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("reading %d rows left %d MB", rows, grown>>20)
	}
}

// A grid is every combination, each once, in a fixed order.
func TestGrid(t *testing.T) {
	g := &Grid{Monomers: [][]string{{"OCCO", "OCCCO"}, {"OC(=O)CC(=O)O", "OC(=O)CCC(=O)O", "OC(=O)c1ccc(cc1)C(=O)O"}}, Mechanism: "ester", DP: 18}
	if err := g.Check(func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := g.Index().Rows; n != 6 {
		t.Fatalf("%d rows, want 6", n)
	}
	s, err := g.Sheet(t.Context(), 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	got := cells(t, s)
	if got[0] != "3 ('OCCO', 'OC(=O)CCC(=O)O')|ester|18" || got[2] != "5 ('OCCCO', 'OC(=O)CC(=O)O')|ester|18" {
		t.Errorf("rows 1 to 4: %q", got)
	}
	for name, bad := range map[string]*Grid{
		"no lists":   {},
		"empty list": {Monomers: [][]string{{"C"}, {}}},
		"too many":   {Monomers: [][]string{make([]string, 100_001)}},
	} {
		if bad.Check(func(string) error { return nil }) == nil {
			t.Errorf("%s is taken for a grid", name)
		}
	}
}
