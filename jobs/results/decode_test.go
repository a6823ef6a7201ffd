package results

import (
	"bytes"
	"reflect"
	"testing"

	"polyid-trainer/jobs/screenings"
)

// The first rows of every format are what was written.
func TestFirst(t *testing.T) {
	c := columns(t)
	var want [][]string
	for i := range 5 {
		row := make([]string, len(c.Names))
		row[0], row[1], row[2] = "a, \"b\" "+string(rune('0'+i)), "12.5", "300"
		want = append(want, row)
	}
	for _, f := range screenings.Formats {
		var out bytes.Buffer
		e, err := NewEncoder(f, c, &out)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range want {
			if err := e.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{2, 10} {
			rows, err := First(f, c, bytes.NewReader(out.Bytes()), int64(out.Len()), n)
			if err != nil || !reflect.DeepEqual(rows, want[:min(n, len(want))]) {
				t.Errorf("%s: the first %d rows are %q, %v", f, n, rows, err)
			}
		}
	}
}
