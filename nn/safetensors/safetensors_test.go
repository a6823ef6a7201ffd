package safetensors_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"polyid-trainer/nn/safetensors"
)

func Example() {
	var file bytes.Buffer
	err := safetensors.Write(&file, map[string]string{"format": "example"}, []safetensors.Tensor{
		{Name: "slope", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}},
	})
	if err != nil {
		panic(err)
	}
	meta, tensors, err := safetensors.Read(&file, 1000)
	if err != nil {
		panic(err)
	}
	fmt.Println(meta["format"], tensors["slope"].Shape, tensors["slope"].Data)
	// Output: example [2 2] [1 2 3 4]
}

func written(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	err := safetensors.Write(&b, map[string]string{"a": "b"}, []safetensors.Tensor{
		{Name: "x", Shape: []int{3}, Data: []float32{1, 2, 3}}, {Name: "empty", Shape: []int{0, 4}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadRefuses(t *testing.T) {
	good := written(t)
	for i := range good { // a byte changed anywhere either is refused or says the same
		bad := bytes.Clone(good)
		bad[i] ^= 1
		meta, tensors, err := safetensors.Read(bytes.NewReader(bad), 100)
		if err == nil && (meta["a"] != "b" || !reflect.DeepEqual(tensors["x"].Data, []float32{1, 2, 3})) {
			t.Errorf("byte %d: a damaged file was read as %v %v", i, meta, tensors)
		}
	}
	for n := range good {
		if _, _, err := safetensors.Read(bytes.NewReader(good[:n]), 100); err == nil {
			t.Errorf("a file cut at %d bytes was read", n)
		}
	}
	if _, _, err := safetensors.Read(bytes.NewReader(good), 2); err == nil {
		t.Error("three values were read where two are allowed")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		meta, tensors, err := safetensors.Read(bytes.NewReader(b), 1<<16)
		if err != nil {
			return
		}
		var list []safetensors.Tensor
		for _, x := range tensors {
			list = append(list, x)
		}
		if err := safetensors.Write(&bytes.Buffer{}, meta, list); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
