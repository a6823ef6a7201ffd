package featurize_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
)

// golden is a line of a golden file; gen_golden.py says what it holds.
type golden struct {
	SMILES  string
	OK      bool
	A1, B1  packed
	Conn    [][2]int32
	EB      []int32
	ErrKind string `json:"err_kind"`
	ErrPos  int    `json:"err_pos"`

	Problems []problem

	Inv    []uint32
	Sparse map[string]int
}

// packed is a list of strings that repeat.
type packed struct {
	Distinct []string `json:"t"`
	Index    []int    `json:"i"`
}

func (p packed) at(i int) string { return p.Distinct[p.Index[i]] }

// readGolden calls visit for each line of testdata/NAME.jsonl.gz.
func readGolden(tb testing.TB, name string, visit func(golden)) {
	tb.Helper()
	file, err := os.Open("testdata/" + name + ".jsonl.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	for lines := json.NewDecoder(bufio.NewReader(text)); ; {
		var g golden
		if err := lines.Decode(&g); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			tb.Fatal(err)
		}
		visit(g)
	}
}
