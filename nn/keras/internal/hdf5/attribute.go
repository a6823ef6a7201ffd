package hdf5

import (
	"bytes"
	"fmt"
)

// The datatype classes that are read (IV.A.2.d).
const (
	classFloat  = 1
	classString = 3
	classVarLen = 9
)

// Strings reads an attribute that is a string or an array of strings, of fixed
// or variable length. The values are views of the file. ok is false when there
// is no such attribute.
func (o *Object) Strings(name string) (values [][]byte, ok bool, err error) {
	for _, m := range o.messages {
		if m.kind != msgAttribute {
			continue
		}
		a, err := parseAttribute(m.body)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", o.name, err)
		}
		if string(a.name) != name {
			continue
		}
		values, err := o.f.strings(a)
		if err != nil {
			return nil, false, fmt.Errorf("%s: attribute %.80q: %w", o.name, name, err)
		}
		return values, true, nil
	}
	return nil, false, nil
}

// attribute is an attribute message taken apart.
type attribute struct {
	name           []byte
	dtype, space   []byte
	data           []byte
	version, flags byte
}

// parseAttribute reads an attribute message of version 1 to 3 (IV.A.2.m).
func parseAttribute(body []byte) (attribute, error) {
	f := fields{b: body}
	a := attribute{version: f.u8(), flags: f.u8()}
	name, dtype, space := int(f.u16()), int(f.u16()), int(f.u16())
	pad := func(n int) int { return n }
	switch a.version {
	case 1:
		a.flags = 0 // reserved
		pad = func(n int) int { return (n + 7) &^ 7 }
	case 2:
	case 3:
		f.u8() // character set
	default:
		return a, fmt.Errorf("attribute message version %d is not read", a.version)
	}
	if a.flags != 0 {
		return a, fmt.Errorf("shared datatypes are not read")
	}
	a.name = bytes.TrimRight(f.take(pad(name)), "\x00")
	a.dtype, a.space, a.data = f.take(pad(dtype)), f.take(pad(space)), f.b
	if f.short {
		return a, fmt.Errorf("an attribute message is too short")
	}
	return a, nil
}

// strings reads an attribute's value.
func (f *File) strings(a attribute) ([][]byte, error) {
	shape, err := parseDataspace(a.space)
	if err != nil {
		return nil, err
	}
	t := fields{b: a.dtype}
	class := t.u8() & 0x0f
	kind := t.u8() & 0x0f
	t.u16()
	size := uint64(t.u32())
	if t.short {
		return nil, fmt.Errorf("its datatype message is too short")
	}
	n, err := count(shape, size, uint64(len(a.data)))
	if err != nil {
		return nil, err
	}
	values := make([][]byte, n)
	for i := range values {
		raw := a.data[uint64(i)*size:][:size:size]
		switch {
		case class == classString:
			// Null-terminated, null-padded or space-padded: names end in none.
			raw, _, _ = bytes.Cut(raw, []byte{0})
			values[i] = bytes.TrimRight(raw, " ")
		case class == classVarLen && kind == 1 && size == 16:
			if values[i], err = f.varLen(raw); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("its datatype, of class %d, is no string", class)
		}
	}
	return values, nil
}

// varLen follows a variable-length value: length, then heap address and index.
func (f *File) varLen(raw []byte) ([]byte, error) {
	n, addr, index := u32(raw), u64(raw[4:]), u32(raw[12:])
	if n == 0 {
		return nil, nil
	}
	heap, err := f.globalHeap(addr)
	if err != nil {
		return nil, err
	}
	if index > 0xffff {
		return nil, fmt.Errorf("heap object %d does not exist", index)
	}
	v, ok := heap[uint16(index)]
	if !ok || uint64(n) > uint64(len(v)) {
		return nil, fmt.Errorf("heap object %d does not hold %d bytes", index, n)
	}
	return v[:n:n], nil
}

// globalHeap reads a global heap collection (III.E).
func (f *File) globalHeap(addr uint64) (map[uint16][]byte, error) {
	if known, ok := f.heaps[addr]; ok {
		return known, nil
	}
	h, err := f.tagged(addr, 16, "GCOL", "global heap")
	if err != nil {
		return nil, err
	}
	size := u64(h[8:])
	if size < 16 {
		return nil, fmt.Errorf("the global heap at byte %d has %d bytes", addr, size)
	}
	b, err := f.at(addr+16, size-16, "global heap")
	if err != nil {
		return nil, err
	}
	objects := map[uint16][]byte{}
	for len(b) >= 16 {
		if err := f.step(); err != nil {
			return nil, err
		}
		index, n := u16(b), u64(b[8:])
		if index == 0 { // the free space, which is last
			break
		}
		b = b[16:]
		if n > uint64(len(b)) {
			return nil, fmt.Errorf("a heap object goes beyond its heap")
		}
		objects[index] = b[:n:n]
		b = b[min((n+7)&^7, uint64(len(b))):]
	}
	f.heaps[addr] = objects
	return objects, nil
}
