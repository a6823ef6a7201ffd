package results

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func columns(t *testing.T) *screenings.Columns {
	t.Helper()
	s := &screenings.Spec{Model: jobs.Revision{}, Columns: map[string]string{"hot": "Tg > 100"}}
	c, ps := screenings.NewColumns(s, &screenings.Model{Targets: []screenings.Target{{Name: "Tg"}}},
		&screenings.Source{Header: []string{"name", "Mn"}, Numeric: []bool{false, true}})
	if ps != nil {
		t.Fatal(ps)
	}
	return c
}

// Parts sorted by themselves are merged into one order, however many there are, and
// equal keys stay in the order of the parts.
func TestSorted(t *testing.T) {
	ctx, b := t.Context(), bucket(t)
	random := rand.New(rand.NewPCG(1, 2))
	var keys []string
	var want []screenings.Row
	for p := range 300 {
		var rows []screenings.Row
		for i := range random.IntN(20) {
			key := screenings.Key{Number: float64(random.IntN(50))}
			if random.IntN(20) == 0 {
				key.Number = math.NaN()
			}
			rows = append(rows, screenings.Row{Key: key, Cells: []string{fmt.Sprintf("%d/%d", p, i)}})
		}
		slices.SortStableFunc(rows, func(a, b screenings.Row) int { return a.Key.Compare(b.Key) })
		want = append(want, rows...)
		keys = append(keys, fmt.Sprintf("parts/%08d", p))
		if _, err := PutPart(ctx, b, keys[p], Head{}, rows); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortStableFunc(want, func(a, b screenings.Row) int { return a.Key.Compare(b.Key) })
	for _, limit := range []int{0, 1, 137} {
		n := 0
		for r, err := range Sorted(ctx, b, keys, fmt.Sprintf("scratch/%d/", limit), limit) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Cells[0] != want[n].Cells[0] {
				t.Fatalf("limit %d, row %d is %s, want %s", limit, n, r.Cells[0], want[n].Cells[0])
			}
			n++
		}
		if n != cmp.Or(limit, len(want)) {
			t.Errorf("limit %d gives %d rows of %d", limit, n, len(want))
		}
	}
}

// A part is stored once: whoever comes second finds what the first stored.
func TestPartIsWrittenOnce(t *testing.T) {
	ctx, b := t.Context(), bucket(t)
	first := Head{Tally: screenings.Tally{Rows: 3, Failed: 1}}
	if _, err := PutPart(ctx, b, "p", first, make([]screenings.Row, 2)); err != nil {
		t.Fatal(err)
	}
	h, err := PutPart(ctx, b, "p", Head{Tally: screenings.Tally{Rows: 99}}, nil)
	if err != nil || h.Rows != 3 || h.Failed != 1 || h.Results != 2 {
		t.Errorf("the second finds %+v, %v", h, err)
	}
}

// A part that is cut off or no part at all is an error, and no panic.
func TestDamagedPart(t *testing.T) {
	ctx, b := t.Context(), bucket(t)
	body, err := EncodePart(Head{}, []screenings.Row{{Cells: []string{"a", "b"}, Front: []float64{1, 2}, Key: screenings.Key{Text: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range body {
		key := fmt.Sprintf("p%d", n)
		if _, err := b.Put(ctx, key, bytes.NewReader(body[:n]), int64(n), storage.Condition{}); err != nil {
			t.Fatal(err)
		}
		failed := false
		for _, err := range InOrder(ctx, b, slices.Values([]string{key})) {
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("a part of %d bytes of %d is read", n, len(body))
		}
	}
}

// The front is what no other row dominates, as found by comparing all with all.
func TestFront(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var rows []screenings.Row
	for i := range 400 {
		v := []float64{float64(random.IntN(40)), float64(random.IntN(40)), float64(random.IntN(4))}
		if i%50 == 0 {
			v[1] = math.NaN()
		}
		rows = append(rows, screenings.Row{Front: v, Cells: []string{strconv.Itoa(i)}})
	}
	f := &Front{}
	var want []string
	for i, r := range rows {
		if err := f.Add(r); err != nil {
			t.Fatal(err)
		}
		best := r.Front[1] == r.Front[1]
		for k, o := range rows {
			if k != i && o.Front[1] == o.Front[1] && dominates(o.Front, r.Front) {
				best = false
			}
		}
		if best {
			want = append(want, r.Cells[0])
		}
	}
	var got []string
	for _, r := range f.Rows() {
		got = append(got, r.Cells[0])
	}
	if !slices.Equal(got, want) {
		t.Errorf("front %v, want %v", got, want)
	}
	small := &Front{Most: 3}
	var err error
	for i := range 10 {
		err = errors.Join(err, small.Add(screenings.Row{Front: []float64{float64(i), float64(-i)}}))
	}
	if !errors.Is(err, ErrFront) {
		t.Errorf("a front that is too large: %v", err)
	}
}

var rows = [][]string{
	{"PET, \"a\"", "20000", "160.5", "2", "150", "170", "0", "true", "", "true", ""},
	{"ünknown\n", "", "", "", "", "", "", "", "", "", "invalid_smiles: no"},
	{"x", "5", "-3e-07", "", "", "", "3", "false", "0.25", "false", ""},
}

func encode(t *testing.T, f screenings.Format) []byte {
	t.Helper()
	var out bytes.Buffer
	e, err := NewEncoder(f, columns(t), &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := e.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Every format holds the same rows, and the same bytes whenever it is made.
func TestFormats(t *testing.T) {
	const csv = "name,Mn,Tg_pred_mean,Tg_pred_std,Tg_pred_lo90,Tg_pred_hi90,fps_notin_train,in_domain,similarity,hot,error\n" +
		"\"PET, \"\"a\"\"\",20000,160.5,2,150,170,0,true,,true,\n" +
		"\"ünknown\n\",,,,,,,,,,invalid_smiles: no\nx,5,-3e-07,,,,3,false,0.25,false,\n"
	for _, f := range screenings.Formats {
		if !bytes.Equal(encode(t, f), encode(t, f)) {
			t.Errorf("%s: two encodings differ", f)
		}
	}
	if got := string(encode(t, screenings.CSV)); got != csv {
		t.Errorf("csv:\n%s", got)
	}
	z, err := gzip.NewReader(bytes.NewReader(encode(t, screenings.CSVGzip)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != csv {
		t.Errorf("csv.gz: %v\n%s", err, got)
	}
	lines := strings.Split(string(encode(t, screenings.NDJSON)), "\n")
	if want := `{"name":"x","Mn":5,"Tg_pred_mean":-3e-07,"Tg_pred_std":null,"Tg_pred_lo90":null,"Tg_pred_hi90":null,"fps_notin_train":3,"in_domain":false,"similarity":0.25,"hot":false,"error":""}`; lines[2] != want {
		t.Errorf("ndjson:\n%s", lines[2])
	}
}

// A Parquet file has the columns in their order, with their types, and nulls.
func TestParquet(t *testing.T) {
	body := encode(t, screenings.Parquet)
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	c := columns(t)
	for i, field := range f.Schema().Fields() {
		if field.Name() != c.Names[i] {
			t.Errorf("column %d is %s, want %s", i, field.Name(), c.Names[i])
		}
	}
	type row struct {
		Name string   `parquet:"name"`
		Mn   *float64 `parquet:"Mn"`
		Mean *float64 `parquet:"Tg_pred_mean"`
		In   *bool    `parquet:"in_domain"`
	}
	got, err := parquet.Read[row](bytes.NewReader(body), int64(len(body)))
	if err != nil || len(got) != 3 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	if got[0].Name != rows[0][0] || *got[0].Mean != 160.5 || !*got[0].In || got[1].Mean != nil || got[1].In != nil || *got[2].Mn != 5 {
		t.Errorf("read as %+v", got)
	}
}

// What is written in chunks is read from anywhere.
func TestChunks(t *testing.T) {
	ctx, b := t.Context(), bucket(t)
	key := func(n int) string { return fmt.Sprintf("results/%d", n) }
	w := NewChunkWriter(ctx, b, key)
	text := make([]byte, 2*ChunkSize+12345)
	for i := range text {
		text[i] = byte(i * 31 >> 3)
	}
	for at := 0; at < len(text); at += 1 << 20 {
		if _, err := w.Write(text[at:min(len(text), at+1<<20)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || len(w.Sizes) != 3 || w.Bytes != int64(len(text)) {
		t.Fatalf("%v, chunks %v", err, w.Sizes)
	}
	r := NewChunkReader(ctx, b, key, w.Sizes)
	defer r.Close()
	for _, from := range []int64{0, 7, ChunkSize - 1, ChunkSize, 2*ChunkSize + 12000, int64(len(text))} {
		if _, err := r.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(r, 100_000))
		if err != nil || !bytes.Equal(got, text[from:min(int64(len(text)), from+100_000)]) {
			t.Errorf("from %d: %d bytes, %v", from, len(got), err)
		}
	}
}
