package hdf5

import (
	"fmt"
	"math"
)

// dataset is an array to write.
type dataset struct {
	shape  []int
	values []float32
}

// write appends the values and an object header that points to them.
func (d *dataset) write(w *writer) (uint64, error) {
	data := w.align()
	for _, v := range d.values {
		w.u32(int(math.Float32bits(v)))
	}
	if len(d.values) == 0 {
		data = undefined
	}
	m := writer{}
	m.u8(3, 1) // version 3, contiguous
	m.u64(data)
	m.u64(uint64(4 * len(d.values)))
	return w.object([]message{
		{msgDataspace, dataspace(d.shape)},
		{msgDatatype, append([]byte{0x10 | classFloat}, float32LE[1:]...)},
		{msgFillValue, []byte{2, 2, 2, 1, 0, 0, 0, 0}}, // version 2, allocated late, written if set, zero
		{msgLayout, m.b},
	})
}

// msgFillValue says what unwritten elements are, IV.A.2.f. The reader has no use
// for it.
const msgFillValue = 0x0005

// write appends the members, the symbol table and the object header of a group.
func (g *Group) write(w *writer) (uint64, error) {
	names := g.names()
	headers := make([]uint64, len(names))
	for i, name := range names {
		var err error
		if headers[i], err = g.members[name].write(w); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	m := writer{}
	tree, heap := w.symbolTable(names, headers)
	m.u64(tree)
	m.u64(heap)
	messages := []message{{msgSymbolTable, m.b}}
	for _, a := range g.attributes {
		body := a.message()
		if len(body) > maxMessage {
			return 0, fmt.Errorf("attribute %.80q takes %d bytes of at most %d", a.name, len(body), maxMessage)
		}
		messages = append(messages, message{msgAttribute, body})
	}
	return w.object(messages)
}

// maxMessage is the length of the largest message, a multiple of 8.
const maxMessage = 1<<16 - 8

// symbolTable appends a group's local heap of names, its symbol table nodes and
// their B-tree, one node, and returns the addresses of tree and heap. names are
// sorted, which the tree rests on.
func (w *writer) symbolTable(names []string, headers []uint64) (tree, heap uint64) {
	// The heap (III.D): its data begins with the empty name.
	data := w.align()
	offsets := make([]uint64, len(names))
	w.zero(8)
	for i, name := range names {
		offsets[i] = w.align() - data
		w.b = append(w.b, name...)
		w.u8(0)
	}
	heap = w.align()
	w.b = append(w.b, "HEAP\x00\x00\x00\x00"...)
	w.u64(heap - data)
	w.u64(1) // no free block
	w.u64(data)

	// The symbol table nodes (III.B), of a fixed size.
	var nodes, last []uint64 // addresses; offsets of each node's greatest name
	for at := 0; at < len(names); at += 2 * leafK {
		n := min(2*leafK, len(names)-at)
		nodes, last = append(nodes, uint64(len(w.b))), append(last, offsets[at+n-1])
		w.b = append(w.b, "SNOD\x01\x00"...)
		w.u16(n)
		for i := at; i < at+n; i++ {
			w.u64(offsets[i])
			w.u64(headers[i])
			w.zero(24) // nothing is cached
		}
		w.zero(entrySize * (2*leafK - n))
	}

	// The B-tree node (III.A.1): between keys, which are names, the nodes whose
	// names are greater than the key before and not greater than the one after.
	tree = uint64(len(w.b))
	w.b = append(w.b, "TREE\x00\x00"...) // of a group, a leaf
	w.u16(len(nodes))
	w.u64(undefined) // no siblings
	w.u64(undefined)
	w.u64(0)
	for i, node := range nodes {
		w.u64(node)
		w.u64(last[i])
	}
	w.zero(16 * (2*w.internalK - len(nodes)))
	return tree, heap
}

// object appends an object header of version 1 (IV.A.1.a) in one block.
func (w *writer) object(messages []message) (uint64, error) {
	size := 0
	for _, m := range messages {
		size += 8 + pad8(len(m.body))
	}
	at := w.align()
	w.u8(1, 0)
	w.u16(len(messages))
	w.u32(1) // references to it
	w.u32(size)
	w.u32(0)
	for _, m := range messages {
		w.u16(int(m.kind))
		w.u16(pad8(len(m.body)))
		w.u32(0) // flags
		w.b = append(w.b, m.body...)
		w.align()
	}
	if len(messages) > 1<<16-1 {
		return 0, fmt.Errorf("%d attributes", len(messages))
	}
	return at, nil
}

// dataspace is a dataspace message of version 1 (IV.A.2.b).
func dataspace(shape []int) []byte {
	m := writer{}
	m.u8(1, byte(len(shape)), 0, 0)
	m.u32(0)
	for _, d := range shape {
		m.u64(uint64(d))
	}
	return m.b
}

// message is an attribute message of version 1 (IV.A.2.m).
func (a *value) message() []byte {
	var dtype, space []byte
	data := writer{}
	if a.names == nil {
		// Class 9, variable length, of UTF-8 characters, each a string of length 1.
		dtype = []byte{0x10 | classVarLen, 1, 1, 0, 16, 0, 0, 0, 0x10 | classString, 0x10, 0, 0, 1, 0, 0, 0}
		space = dataspace(nil)
		if a.object != 0 {
			data.u32(len(a.text))
			data.u64(heapAddress)
			data.u32(int(a.object))
		} else {
			data.zero(16)
		}
	} else {
		size := 1
		for _, n := range a.names {
			size = max(size, len(n))
		}
		// Class 3, null-padded, UTF-8.
		t := writer{b: []byte{0x10 | classString, 0x11, 0, 0}}
		t.u32(size)
		dtype, space = t.b, dataspace([]int{len(a.names)})
		for _, n := range a.names {
			data.b = append(data.b, n...)
			data.zero(size - len(n))
		}
	}
	m := writer{}
	m.u8(1, 0)
	m.u16(len(a.name) + 1)
	m.u16(len(dtype))
	m.u16(len(space))
	for _, part := range [][]byte{append([]byte(a.name), 0), dtype, space} {
		m.b = append(m.b, part...)
		m.align()
	}
	return append(m.b, data.b...)
}
