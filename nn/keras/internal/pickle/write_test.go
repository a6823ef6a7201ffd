package pickle

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// every is a value with one of each kind.
func every() *Dict {
	return &Dict{[]Entry{
		{"none", nil}, {"yes", true}, {"no", false},
		{"ints", &List{[]any{int64(0), int64(-1), int64(1 << 31), int64(-1 << 31), int64(math.MaxInt64), int64(math.MinInt64)}}},
		{"floats", &Tuple{[]any{0.1, math.Inf(-1), 0.0, 5e-324}}},
		{"text", "Tg in °C\n\x00"}, {"long", strings.Repeat("x", 70_000)}, {"bytes", []byte{0, 0xff}},
		{int64(7), &Tuple{}}, {"empty", &List{}}, {"dict", &Dict{}},
		{"many", &List{manyInts(3000)}},
		{"class", Class{"collections", "Counter"}},
		{"made", &Object{Class: Class{"fractions", "Fraction"}, Args: &Tuple{[]any{int64(3), int64(6)}}}},
		{"state", &Object{Class: Class{"types", "SimpleNamespace"}, Args: &Tuple{}, State: &Dict{[]Entry{{"size", int64(3)}}}}},
	}}
}

func manyInts(n int64) (v []any) {
	for i := range n {
		v = append(v, i)
	}
	return v
}

func TestReadsWhatItWrote(t *testing.T) {
	b, err := Write(every())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(b, func(Class) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if normal(got) != normal(every()) {
		t.Errorf("%s came back as %s", normal(every()), normal(got))
	}
	if again, err := Write(got); err != nil || !bytes.Equal(again, b) {
		t.Errorf("what was read is not written as it was, %v", err)
	}
}

// TestPythonReadsIt has Python's own pickle load it and say what it got.
func TestPythonReadsIt(t *testing.T) {
	python := os.Getenv("POLYID_PYTHON")
	if python == "" {
		t.Skip("set POLYID_PYTHON to a python 3, or run .ci/peers")
	}
	const script = `
import sys, pickle, collections, fractions, types, math
d = pickle.load(sys.stdin.buffer)
assert list(d) == ["none", "yes", "no", "ints", "floats", "text", "long", "bytes", 7, "empty", "dict", "many", "class", "made", "state"]
assert d["none"] is None and d["yes"] is True and d["no"] is False
assert d["ints"] == [0, -1, 2**31, -2**31, 2**63 - 1, -2**63]
assert d["floats"] == (0.1, -math.inf, 0.0, 5e-324)
assert d["text"] == "Tg in \u00b0C\n\0" and d["long"] == "x" * 70000 and d["bytes"] == b"\0\xff"
assert d[7] == () and d["empty"] == [] and d["dict"] == {} and d["many"] == list(range(3000))
assert d["class"] is collections.Counter and d["made"] == fractions.Fraction(1, 2)
assert d["state"] == types.SimpleNamespace(size=3)
`
	b, err := Write(every())
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(python, "-c", script)
	c.Stdin = bytes.NewReader(b)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWillNotWrite(t *testing.T) {
	cycle := &List{}
	cycle.Items = []any{cycle}
	for want, v := range map[string]any{
		"nested deeper": cycle,
		"not UTF-8":     "\xff",
		"a int is no":   1,
		"no class":      Class{"os\nsystem", "x"},
		"with items":    &Object{Class: Class{"a", "b"}, Items: []any{"x"}},
	} {
		if _, err := Write(&Tuple{[]any{v}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
}

// fits reports whether v, with what is shared counted each time, is small.
func fits(v any, budget *int) bool {
	if *budget--; *budget < 0 {
		return false
	}
	var parts []any
	switch v := v.(type) {
	case *List:
		parts = v.Items
	case *Tuple:
		parts = v.Items
	case *Dict:
		for _, e := range v.Entries {
			parts = append(parts, e.Key, e.Value)
		}
	case *Object:
		parts = []any{v.Args, v.State}
	}
	for _, p := range parts {
		if !fits(p, budget) {
			return false
		}
	}
	return true
}

// FuzzWrite writes what can be read, and reads it again: that is a fixed point,
// as far as values are trees.
func FuzzWrite(f *testing.F) {
	b, err := Write(every())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(file(f, "p2"))
	all := func(Class) bool { return true }
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Read(b, all)
		if budget := 10_000; err != nil || !fits(v, &budget) {
			return
		}
		first, err := Write(v)
		if err != nil {
			return
		}
		again, err := Read(first, all)
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		second, err := Write(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("written again it differs, %v: %s", err, fmt.Sprintf("%q", b))
		}
	})
}
