package hdf5

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample makes a group of random content and says what is in it, a line a thing.
func sample(r *rand.Rand, g *Group, path string, depth int) []string {
	var want []string
	note := func(what string, v ...any) { want = append(want, fmt.Sprint(path, what, " ", v)) }
	for i := range r.IntN(3) {
		name, text := fmt.Sprintf("text%d", i), strings.Repeat("ä", []int{0, 1, 40, 5000, 40_000}[r.IntN(5)])
		g.SetText(name, text)
		note("@"+name, text)
	}
	for i := range r.IntN(2) {
		name, names := fmt.Sprintf("names%d", i), []string{}
		for k := range 1 + r.IntN(9) {
			names = append(names, strings.Repeat("n", k*r.IntN(20)))
		}
		g.SetNames(name, names)
		for _, n := range names {
			note("@"+name, n)
		}
	}
	for i := range []int{0, 1, 8, 9, 70, 300}[r.IntN(6)] {
		name := fmt.Sprintf("%s%d", strings.Repeat("m", 1+r.IntN(3)), i)
		if depth > 0 && r.IntN(60) == 0 {
			want = append(want, sample(r, g.AddGroup(name), path+name+"/", depth-1)...)
			continue
		}
		var shape []int
		n := 1
		for range r.IntN(3) {
			shape = append(shape, 1+r.IntN(4))
			n *= shape[len(shape)-1]
		}
		values := make([]float32, n)
		for k := range values {
			values[k] = r.Float32()
		}
		g.AddFloats(name, shape, values)
		note(name, shape, values)
	}
	return want
}

// describe says what is below an object, in the words of sample.
func describe(t *testing.T, o *Object, path string) []string {
	var got []string
	note := func(what string, v ...any) { got = append(got, fmt.Sprint(path, what, " ", v)) }
	for _, m := range o.messages {
		if m.kind != msgAttribute {
			continue
		}
		a, err := parseAttribute(m.body)
		if err != nil {
			t.Fatal(err)
		}
		values, _, err := o.Strings(string(a.name))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			note("@"+string(a.name), string(v))
		}
	}
	children, err := o.children()
	if err != nil {
		t.Fatal(err)
	}
	for name := range children {
		c, err := o.Child(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, isGroup := c.message(msgSymbolTable); isGroup {
			got = append(got, describe(t, c, path+name+"/")...)
			continue
		}
		shape, values, err := c.Floats()
		if err != nil {
			t.Fatal(err)
		}
		if len(shape) == 0 {
			shape = nil
		}
		note(name, shape, values)
	}
	return got
}

// TestReadsWhatItWrote reads random trees of groups back.
func TestReadsWhatItWrote(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 60 {
		g := &Group{}
		want := sample(r, g, "/", 3)
		b, err := Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		got := describe(t, root(t, b), "/")
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("of %d things, %d came back, or others", len(want), len(got))
		}
		if again, err := Marshal(g); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("writing it twice gives two files, or %v", err)
		}
	}
}

// TestH5py has the HDF5 library itself, through h5py, read a random tree: it
// must find the same things, and nothing wrong with the file.
func TestH5py(t *testing.T) {
	python := os.Getenv("POLYID_PYTHON")
	if python == "" {
		t.Skip("set POLYID_PYTHON to a python with h5py, or run .ci/peers")
	}
	const script = `
import sys, h5py
def one(v):
    return v.decode() if isinstance(v, bytes) else v
def go(g, path):
    for k, v in g.attrs.items():
        for x in ([v] if isinstance(v, str) else v):
            print(path + "@" + k + " [" + one(x) + "]")
    for k, v in g.items():
        if isinstance(v, h5py.Group):
            go(v, path + k + "/")
        else:
            assert v.dtype == "<f4" and v.chunks is None
            shape = " ".join(map(str, v.shape))
            print(path + k + " [[" + shape + "] [" + " ".join(x.tobytes().hex() for x in v[()].ravel()) + "]]")
with h5py.File(sys.argv[1], "r") as f:
    go(f, "/")
`
	g := &Group{}
	want := sample(rand.New(rand.NewPCG(9, 4)), g, "/", 3)
	g.AddGroup("zero")
	big := g.AddGroup("many")
	for i := range 2000 {
		big.AddFloats(fmt.Sprintf("x%d", i), nil, []float32{float32(i)})
		want = append(want, fmt.Sprintf("/many/x%d [[] [%v]]", i, float32(i)))
	}
	b, err := Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if read := describe(t, root(t, b), "/"); len(read) != len(want) {
		t.Fatalf("%d things came back, want %d", len(read), len(want))
	}
	file := filepath.Join(t.TempDir(), "sample.h5")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", script, file).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i := range want {
		want[i] = inHex(want[i])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("h5py finds %d things, want %d", len(got), len(want))
		for _, line := range got {
			if !slices.Contains(want, line) {
				t.Fatalf("h5py finds %.200q", line)
			}
		}
	}
	t.Logf("h5py finds all %d things", len(got))
}

// inHex writes the values of a dataset's line as the script does, and leaves
// the line of an attribute alone.
func inHex(line string) string {
	head, list, ok := strings.Cut(line, "] [")
	if !ok {
		return line
	}
	var hex []string
	for _, v := range strings.Fields(strings.TrimRight(list, "]")) {
		var x float32
		fmt.Sscan(v, &x)
		w := writer{}
		w.u32(int(math.Float32bits(x)))
		hex = append(hex, fmt.Sprintf("%x", w.b))
	}
	return head + "] [" + strings.Join(hex, " ") + "]]"
}

func TestWillNotWrite(t *testing.T) {
	for want, build := range map[string]func(g *Group){
		"comes twice": func(g *Group) { g.AddGroup("a"); g.AddFloats("a", nil, []float32{1}) },
		"no name":     func(g *Group) { g.AddGroup("a").AddGroup("b/c") },
		"2 values":    func(g *Group) { g.AddFloats("a", []int{3}, make([]float32, 2)) },
		"takes":       func(g *Group) { g.SetNames("a", []string{strings.Repeat("x", 1<<16)}) },
	} {
		g := &Group{}
		build(g)
		if _, err := Marshal(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
}
