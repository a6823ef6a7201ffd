package data

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// bigCSV is PolyID's table over and over, each time with other values.
func bigCSV(b *testing.B, rows int) []byte {
	b.Helper()
	d, _ := Shipped("stereopolymer_input_nopush")
	s := d.Sheet()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write(s.Header)
	for i := range rows {
		cells := s.Rows[i%len(s.Rows)].AppendCells(nil)
		cells[3] = strconv.Itoa(i) // Tg
		w.Write(cells)
	}
	w.Flush()
	return out.Bytes()
}

// BenchmarkRead reads and types a CSV. Time and memory per row should not depend
// on the number of rows.
func BenchmarkRead(b *testing.B) {
	for _, rows := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			text := bigCSV(b, rows)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				table, _, err := Read(b.Context(), bytes.NewReader(text), "", Columns{}, Options{})
				if err != nil || table.Rows() != rows {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}

// BenchmarkPartition groups and deals a table of which every row is a polymer
// with ten replicates.
func BenchmarkPartition(b *testing.B) {
	const rows = 100_000
	var text strings.Builder
	text.WriteString("monomers,mechanism,pm,Tg\n")
	for i := range rows {
		fmt.Fprintf(&text, "\"('C%d', 'O')\",ester,0.5,%d\n", i/10, i)
	}
	table, _, err := Read(b.Context(), strings.NewReader(text.String()), "", Columns{}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Partition(PartitionRequest{Folds: 5}); err != nil {
			b.Fatal(err)
		}
	}
}
