package hdf5

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// good reads good.h5, which is mostly empty tables.
func good(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/good.h5.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func root(t testing.TB, b []byte) *Object {
	t.Helper()
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStrings(t *testing.T) {
	r := root(t, good(t))
	for name, want := range map[string][]string{
		"model_config": {strings.Repeat("ä", 3000)},
		"fixed":        {"one", "three", ""},
		"names":        {"a/b", "ç", ""},
	} {
		got, ok, err := r.Strings(name)
		if err != nil || !ok {
			t.Fatalf("%s: %v, %v", name, ok, err)
		}
		if !slices.EqualFunc(got, want, func(a []byte, b string) bool { return string(a) == b }) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, ok, err := r.Strings("absent"); ok || err != nil {
		t.Errorf("an absent attribute: %v, %v", ok, err)
	}
	if _, _, err := r.Strings("number"); err == nil {
		t.Error("a number was read as a string")
	}
}

func TestFloats(t *testing.T) {
	r := root(t, good(t))
	ramp := func(n int) (v []float32) {
		for i := range n {
			v = append(v, float32(i)/8-3)
		}
		return v
	}
	for _, x := range []struct {
		path   string
		shape  []int
		values []float32
	}{
		{"deep/er/kernel:0", []int{3, 4}, ramp(12)},
		{"compact", []int{5}, ramp(5)},
		{"scalar", []int{}, []float32{1.5}},
	} {
		d, err := r.Child(x.path)
		if err != nil {
			t.Fatal(err)
		}
		shape, values, err := d.Floats()
		if err != nil || !slices.Equal(shape, x.shape) || !slices.Equal(values, x.values) {
			t.Errorf("%s is %v %v, %v, want %v %v", x.path, shape, values, err, x.shape, x.values)
		}
	}
	d, err := r.Child("deep")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Floats(); err == nil {
		t.Error("a group was read as a dataset")
	}
}

func TestLargeGroup(t *testing.T) {
	r := root(t, good(t))
	for i := range 700 {
		o, err := r.Child(fmt.Sprintf("many/member_%03d", i))
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := o.Strings("i"); err != nil || string(v[0]) != strconv.Itoa(i) {
			t.Fatalf("member %d says %q, %v", i, v, err)
		}
	}
	for _, path := range []string{"many/member_700", "scalar/x", "", "many//member_001"} {
		if _, err := r.Child(path); err == nil {
			t.Errorf("%q was found", path)
		}
	}
}

func TestRefused(t *testing.T) {
	b, err := os.ReadFile("testdata/refused.h5")
	if err != nil {
		t.Fatal(err)
	}
	r := root(t, b)
	for name, want := range map[string]string{
		"float64": "not little-endian float32", "bigendian": "not little-endian float32", "integer": "not little-endian float32",
		"half": "not little-endian float32", "chunked": "layout class 2", "compressed": "compressed", "unwritten": "never written",
	} {
		d, err := r.Child(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Floats(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want it to say %q", name, err, want)
		}
	}
	if b, err = os.ReadFile("testdata/latest.h5"); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"superblock version": b, "not an HDF5 file": []byte("\x89HDF"), "beyond the file": good(t)[:90], "truncated": good(t)[:900]} {
		if _, err := Parse(b); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to say %q", err, name)
		}
	}
}

// TestValuesAreGivenOutOnce reads one dataset over and over, as a file could
// make a reader do by naming it many times.
func TestValuesAreGivenOutOnce(t *testing.T) {
	b := good(t)
	r := root(t, b)
	d, err := r.Child("deep/er/kernel:0")
	if err != nil {
		t.Fatal(err)
	}
	for range len(b)/4/12 + 1 {
		if _, _, err = d.Floats(); err != nil {
			return
		}
	}
	t.Error("more values were read than the file has bytes for")
}

// walk reads all there is below o, as far as it can.
func walk(o *Object, depth int) {
	for _, m := range o.messages {
		if m.kind == msgAttribute {
			if a, err := parseAttribute(m.body); err == nil {
				_, _, _ = o.Strings(string(a.name))
			}
		}
	}
	_, _, _ = o.Floats()
	if depth == 0 {
		return
	}
	children, err := o.children()
	if err != nil {
		return
	}
	for name := range children {
		if c, err := o.Child(name); err == nil {
			walk(c, depth-1)
		}
	}
}

// TestDamage walks files with single bytes changed: nothing may panic or run
// away.
func TestDamage(t *testing.T) {
	b := good(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		bad := bytes.Clone(b)
		// Most of the structure of interest lies in the first few kB.
		bad[r.IntN(min(len(bad), 8<<10))] ^= 1 << r.IntN(8)
		if f, err := Parse(bad); err == nil {
			if o, err := f.Root(); err == nil {
				walk(o, 4)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"refused.h5", "latest.h5"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if file, err := Parse(b); err == nil {
			if o, err := file.Root(); err == nil {
				walk(o, 4)
			}
		}
	})
}
