package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"
)

// A pickle of opcodes of one byte cannot fill memory. What is counted is all that
// was ever allocated: of slices that grew, every size they had.
func TestBombs(t *testing.T) {
	const size = 4 << 20
	repeat := func(before, ops string) []byte {
		b := append([]byte("\x80\x04"+before), bytes.Repeat([]byte(ops), size/len(ops))...)
		return append(b, '.')
	}
	for name, b := range map[string][]byte{
		"dup":                repeat("N", "2"),
		"none":               repeat("", "N"),
		"marks":              repeat("", "("),
		"empty tuples":       repeat("", ")"),
		"memo":               repeat("]", "\x94"),
		"tuples of memo":     repeat("]\x94", "h\x00\x85"),
		"lists in lists":     repeat("", "]"),
		"a list of tuples":   repeat("]", "("+")))))))))))))))"+"e"),
		"tuples of doubles":  repeat("N", "2\x86"),
		"a dict of nothings": repeat("}", "(NNNNNNNNNNNNNNu"),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read(b, func(Class) bool { return false })
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 96*size {
				t.Errorf("%d bytes were allocated for %d, error %v", n, len(b), err)
			}
		})
	}
	if _, err := Read(repeat("N", "2"), nil); !errors.Is(err, errBomb) {
		t.Errorf("Read of many DUPs = %v", err)
	}
}

// What Python writes of long lists of small values is read.
func TestLongListsAreNoBombs(t *testing.T) {
	for name, item := range map[string]string{"booleans": "\x88", "small integers": "K\x07", "references": "h\x00"} {
		const batches = 2000
		var b bytes.Buffer
		b.WriteString("\x80\x04]q\x00")
		for range batches {
			fmt.Fprintf(&b, "(%se", bytes.Repeat([]byte(item), 1000))
		}
		b.WriteByte('.')
		v, err := Read(b.Bytes(), nil)
		if err != nil || len(v.(*List).Items) != 1000*batches {
			t.Errorf("%s: %v", name, err)
		}
	}
}
