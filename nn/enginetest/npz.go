package enginetest

import (
	"bytes"
	"fmt"
	"io/fs"

	"github.com/sbinet/npyio/npz"
)

// arrays is the content of an .npz file, by name, widened to float64.
type arrays map[string]array

type array struct {
	shape []int
	v     []float64
}

func readNPZ(fsys fs.FS, name string) (arrays, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	r, err := npz.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer r.Close()
	out := arrays{}
	for _, key := range r.Keys() {
		a, err := readArray(r, key)
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", key, name, err)
		}
		out[key[:len(key)-len(".npy")]] = a
	}
	return out, nil
}

func readArray(r *npz.Reader, key string) (array, error) {
	h := r.Header(key)
	a := array{shape: h.Descr.Shape}
	switch h.Descr.Type {
	case "<f4":
		return a, readAs[float32](r, key, &a)
	case "<f8":
		return a, readAs[float64](r, key, &a)
	case "<i8":
		return a, readAs[int64](r, key, &a)
	}
	return a, fmt.Errorf("unexpected type %s", h.Descr.Type)
}

func readAs[T float32 | float64 | int64](r *npz.Reader, key string, a *array) error {
	var v []T
	if err := r.Read(key, &v); err != nil {
		return err
	}
	a.v = make([]float64, len(v))
	for i := range v {
		a.v[i] = float64(v[i])
	}
	return nil
}
