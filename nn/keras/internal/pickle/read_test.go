package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".pk")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// listed are the classes that gen.py's values name, in Python's own words.
func listed(c Class) bool {
	switch c.String() {
	case "shop.Thing", "collections.OrderedDict", "_codecs.encode":
		return true
	}
	return false
}

// TestProtocols reads one value as each protocol writes it.
func TestProtocols(t *testing.T) {
	list := func(items ...any) *List { return &List{items} }
	tuple := func(items ...any) *Tuple { return &Tuple{items} }
	thing := Class{"shop", "Thing"}
	want := map[string]any{
		"none": nil, "yes": true, "no": false,
		"ints":  list(int64(0), int64(255), int64(256), int64(65535), int64(65536), int64(-1), int64(-1<<31), int64(1<<40), int64(-1<<40)),
		"float": 0.1, "text": "Tg in °C", "long": strings.Repeat("x", 300), "bytes": []byte{0, 0xff}, "more": bytes.Repeat([]byte("y"), 300),
		"tuples": list(tuple(), tuple(int64(1)), tuple(int64(1), int64(2)), tuple(int64(1), int64(2), int64(3)), tuple(int64(1), int64(2), int64(3), int64(4))),
		"shared": list(list("twice"), list("twice")),
		"thing": &Object{Class: thing, Args: tuple(), State: &Dict{[]Entry{
			{"size", int64(3)}, {"parts", list("a", nil)}}}},
		"class":   thing,
		"ordered": &Object{Class: Class{"collections", "OrderedDict"}, Args: tuple(), Items: []any{"a", int64(1)}},
		"empty":   &Dict{},
	}
	for protocol := 2; protocol <= 5; protocol++ {
		v, err := Read(file(t, fmt.Sprintf("p%d", protocol)), listed)
		if err != nil {
			t.Fatalf("protocol %d: %v", protocol, err)
		}
		d, ok := v.(*Dict)
		if !ok || len(d.Entries) != len(want) {
			t.Fatalf("protocol %d: %#v", protocol, v)
		}
		for key, w := range want {
			got, ok := d.Get(key)
			if o, isObject := got.(*Object); isObject && o.Class.Name == "encode" {
				continue // protocol 2 has no bytes: it calls a codec on a string
			}
			if !ok || normal(got) != normal(w) {
				t.Errorf("protocol %d: %s is %#v, want %#v", protocol, key, got, w)
			}
		}
		shared, _ := d.Get("shared")
		if two := shared.(*List).Items; two[0] != two[1] {
			t.Errorf("protocol %d: a list that came twice became two", protocol)
		}
	}
}

// normal makes nil and empty slices the same.
func normal(v any) string { return fmt.Sprintf("%#v", deref(v)) }

func deref(v any) any {
	switch v := v.(type) {
	case *List:
		return fmt.Sprint("list", each(v.Items))
	case *Tuple:
		return fmt.Sprint("tuple", each(v.Items))
	case *Dict:
		var s []any
		for _, e := range v.Entries {
			s = append(s, e.Key, e.Value)
		}
		return fmt.Sprint("dict", each(s))
	case *Object:
		return fmt.Sprint(v.Class, deref(v.Args), deref(v.State), each(v.Items))
	}
	return v
}

func each(items []any) (s []string) {
	for _, v := range items {
		s = append(s, normal(v))
	}
	return s
}

// TestClassesAreRefusedByName holds the reader to the caller's list.
func TestClassesAreRefusedByName(t *testing.T) {
	_, err := Read(file(t, "evil"), listed)
	var c *ClassError
	if !errors.As(err, &c) || c.Class.Name != "system" || !strings.Contains(err.Error(), ".system") {
		t.Errorf("error %v, want it to name the class", err)
	}
}

func TestRefused(t *testing.T) {
	all := func(Class) bool { return true }
	for want, b := range map[string][]byte{
		"opcode 0x8f":            file(t, "set"),
		"more than 64 bits":      file(t, "big"),
		"ends in the middle":     []byte("\x80\x04"),
		"protocol 6":             []byte("\x80\x06N."),
		"opcode 0xff":            []byte("\xff"),
		"more from its stack":    []byte("\x80\x02."),
		"memo 7":                 []byte("\x80\x02h\x07."),
		"wrong type":             []byte("\x80\x02NNb."),
		"not UTF-8":              []byte("\x80\x04\x8c\x01\xff."),
		"opcode 0x70 is not":     file(t, "p0"),
		"takes more from its st": []byte("\x80\x02(0."),
	} {
		if _, err := Read(b, all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want it to say %q", b[:min(20, len(b))], err, want)
		}
	}
}

// TestLengthsThatLieCostNothing claims huge strings, bytes and frames.
func TestLengthsThatLieCostNothing(t *testing.T) {
	huge := binary.LittleEndian.AppendUint64(nil, 1<<62)
	for _, op := range []byte{opBinUnicode8, opBinBytes8, opByteArray8, opFrame} {
		b := append([]byte{opProto, 4, op}, huge...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(b, listed)
		runtime.ReadMemStats(&after)
		if err == nil || after.TotalAlloc-before.TotalAlloc > 1<<16 {
			t.Errorf("opcode %#x: error %v, %d bytes allocated", op, err, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

func TestDamage(t *testing.T) {
	b := file(t, "p4")
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		bad := bytes.Clone(b)
		for range 1 + r.IntN(3) {
			bad[r.IntN(len(bad))] ^= byte(1 + r.IntN(255))
		}
		_, _ = Read(bad[:r.IntN(len(bad)+1)], listed) // must not panic
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"p2", "p4", "p5", "evil", "set"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Read(b, func(c Class) bool { return c.Module != "os" })
	})
}
