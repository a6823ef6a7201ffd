package hdf5

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// maxRank bounds the dimensions of a dataspace, as HDF5 itself does.
const maxRank = 32

// parseDataspace reads a dataspace message of version 1 or 2 (IV.A.2.b). A
// scalar has no dimensions.
func parseDataspace(body []byte) ([]uint64, error) {
	f := fields{b: body}
	version, rank := f.u8(), f.u8()
	f.u8() // flags: the maximum dimensions that may follow are not read
	kind := f.u8()
	switch version {
	case 1:
		f.take(4)
	case 2:
		if kind == 2 {
			return nil, errors.New("its dataspace is null")
		}
	default:
		return nil, fmt.Errorf("dataspace version %d is not read", version)
	}
	if rank > maxRank {
		return nil, fmt.Errorf("it has %d dimensions", rank)
	}
	shape := make([]uint64, rank)
	for i := range shape {
		shape[i] = f.u64()
	}
	if f.short {
		return nil, errors.New("its dataspace message is too short")
	}
	return shape, nil
}

// count is the number of elements of a shape, which take size bytes each of at
// most have.
func count(shape []uint64, size, have uint64) (uint64, error) {
	if size == 0 {
		return 0, errors.New("its elements have no size")
	}
	n, most := uint64(1), have/size
	for _, d := range shape {
		if d != 0 && n > most/d {
			return 0, fmt.Errorf("its shape %v is larger than its data", shape)
		}
		n *= d
	}
	if n > most {
		return 0, fmt.Errorf("its shape %v is larger than its data", shape)
	}
	return n, nil
}

// float32LE is the datatype message of an IEEE little-endian float32: class
// and bit field, size, then bit offset, precision and the places of exponent
// and mantissa. The upper half of the first byte is the message's version.
var float32LE = []byte{0x01, 0x20, 0x1f, 0x00, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0}

// Floats reads a dataset of float32, row-major. A file gives out each of its
// values once: datasets that share storage would let a small file fill memory.
func (o *Object) Floats() (shape []int, values []float32, err error) {
	fail := func(err error) ([]int, []float32, error) {
		return nil, nil, fmt.Errorf("dataset %s: %w", o.name, err)
	}
	space, ok1 := o.message(msgDataspace)
	dtype, ok2 := o.message(msgDatatype)
	layout, ok3 := o.message(msgLayout)
	if !ok1 || !ok2 || !ok3 {
		return fail(errors.New("it is not one"))
	}
	if _, filtered := o.message(msgFilters); filtered {
		return fail(errors.New("compressed data is not read"))
	}
	if len(dtype) < len(float32LE) || dtype[0]&0x0f != classFloat || !bytes.Equal(dtype[1:len(float32LE)], float32LE[1:]) {
		return fail(errors.New("its elements are not little-endian float32"))
	}
	dims, err := parseDataspace(space)
	if err != nil {
		return fail(err)
	}
	data, err := o.f.stored(layout)
	if err != nil {
		return fail(err)
	}
	n, err := count(dims, 4, uint64(len(data)))
	if err != nil {
		return fail(err)
	}
	if n > o.f.reads {
		return fail(errors.New("the file's datasets overlap, or one was read twice"))
	}
	o.f.reads -= n
	shape = make([]int, len(dims))
	for i, d := range dims {
		shape[i] = int(d)
	}
	values = make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(u32(data[4*i:]))
	}
	return shape, values, nil
}

// stored is the data that a layout message of version 3 or 4 (IV.A.2.i) points
// to.
func (f *File) stored(layout []byte) ([]byte, error) {
	m := fields{b: layout}
	version, class := m.u8(), m.u8()
	if version != 3 && version != 4 {
		return nil, fmt.Errorf("data layout version %d is not read", version)
	}
	switch class {
	case 0:
		data := m.take(int(m.u16()))
		if m.short {
			return nil, errors.New("its layout message is too short")
		}
		return data, nil
	case 1:
		addr, size := m.u64(), m.u64()
		if m.short {
			return nil, errors.New("its layout message is too short")
		}
		if addr == undefined {
			return nil, errors.New("it was never written")
		}
		return f.at(addr, size, "its data")
	}
	return nil, fmt.Errorf("data layout class %d is not read (Keras writes contiguous data)", class)
}
