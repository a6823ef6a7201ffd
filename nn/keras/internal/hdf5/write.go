package hdf5

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Group is a group to write: its attributes and its members. The zero value is
// an empty one. Names are in ASCII, as HDF5 has them unless told otherwise.
type Group struct {
	attributes []value
	members    map[string]member
	errs       []error // of the methods below, which Marshal returns
}

// value is an attribute to write: one text of variable length, or an array of
// names of fixed length.
type value struct {
	name   string
	text   string
	object uint16   // of text in the file's heap; 0 if it is empty
	names  []string // nil for a text
}

// member is what a group can hold: *Group and *dataset.
type member interface {
	// write appends the object with all that belongs to it, and returns the
	// address of its header.
	write(w *writer) (header uint64, err error)
}

// SetText gives g a string as an attribute, of any length and in UTF-8. Reading
// it back gives one value.
func (g *Group) SetText(name, text string) {
	g.attributes = append(g.attributes, value{name: name, text: text})
}

// SetNames gives g an array of strings as an attribute, which together must fit
// an object header's message: 64 KiB, each name taking the longest one's room.
func (g *Group) SetNames(name string, names []string) {
	g.attributes = append(g.attributes, value{name: name, names: append([]string{}, names...)})
}

// AddGroup adds a group to g and returns it.
func (g *Group) AddGroup(name string) *Group {
	c := &Group{}
	g.add(name, c)
	return c
}

// AddFloats adds a dataset to g, row-major. shape and values are kept until g is
// written.
func (g *Group) AddFloats(name string, shape []int, values []float32) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n != len(values) || len(shape) > maxRank {
		g.errs = append(g.errs, fmt.Errorf("%.80q has %d values for shape %v", name, len(values), shape))
	}
	g.add(name, &dataset{shape: shape, values: values})
}

func (g *Group) add(name string, m member) {
	if g.members == nil {
		g.members = map[string]member{}
	}
	if name == "" || name == "." || len(name) >= maxName || strings.ContainsAny(name, "/\x00") || g.members[name] != nil {
		g.errs = append(g.errs, fmt.Errorf("%.80q is no name of a member, or comes twice", name))
	}
	g.members[name] = m
}

// names lists g's members in the order of a symbol table.
func (g *Group) names() []string { return slices.Sorted(maps.Keys(g.members)) }

// Marshal is the file whose root group is root. Its bytes depend on root alone:
// no times are recorded.
//
// It is laid out as h5py's default "earliest" files are, which every version of
// the HDF5 library reads: superblock and groups of version 0, object headers of
// version 1, contiguous data. Each group's B-tree is a single node, and the
// superblock says how large nodes are, so that the largest group's fits.
func Marshal(root *Group) ([]byte, error) {
	w := &writer{internalK: 16}
	size, err := w.measure(root)
	if err != nil {
		return nil, err
	}
	w.b = make([]byte, superblockSize, size)
	w.heap()
	header, err := root.write(w)
	if err != nil {
		return nil, err
	}
	w.superblock(header)
	return w.b, nil
}

// Sizes that the format fixes.
const (
	superblockSize = 96
	entrySize      = 40   // of a symbol table's entry
	leafK          = 4    // half the entries of a symbol table node; the library's default
	minHeap        = 4096 // bytes of a global heap, the least the library takes
)

// writer appends the objects of a file in the order their addresses are needed:
// members before their group.
type writer struct {
	b         []byte
	texts     []string // of the whole file, the objects of its global heap
	internalK int      // half the children of a B-tree node
}

// measure collects the texts of g and all below it, and makes B-tree nodes large
// enough. It returns about how many bytes the file takes.
func (w *writer) measure(g *Group) (size int, err error) {
	if len(g.errs) > 0 {
		return 0, g.errs[0]
	}
	size = 2048 + 128*len(g.members)
	for i := range g.attributes {
		a := &g.attributes[i]
		for _, n := range a.names {
			size += len(n)
		}
		a.object = 0
		if a.text != "" {
			w.texts = append(w.texts, a.text)
			a.object = uint16(len(w.texts))
			size += len(a.text) + minHeap
		}
	}
	if len(w.texts) > 1<<16-1 {
		return 0, fmt.Errorf("more texts than a heap has objects")
	}
	nodes := (len(g.members) + 2*leafK - 1) / (2 * leafK)
	w.internalK = max(w.internalK, (nodes+1)/2)
	if w.internalK > 1<<15 {
		return 0, fmt.Errorf("a group of %d members", len(g.members))
	}
	for _, name := range g.names() {
		switch m := g.members[name].(type) {
		case *Group:
			below, err := w.measure(m)
			if err != nil {
				return 0, err
			}
			size += below
		case *dataset:
			size += 512 + 4*len(m.values)
		}
	}
	return size, nil
}

func (w *writer) u8(v ...byte) { w.b = append(w.b, v...) }
func (w *writer) u16(v int)    { w.b = binary.LittleEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) u32(v int)    { w.b = binary.LittleEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) u64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }

// zero appends n zero bytes.
func (w *writer) zero(n int) { w.b = append(w.b, make([]byte, n)...) }

// align appends zero bytes up to a multiple of 8 and returns the address there.
func (w *writer) align() uint64 {
	w.zero(-len(w.b) & 7)
	return uint64(len(w.b))
}

// superblock writes the superblock (II.A), which has room at the file's start.
func (w *writer) superblock(root uint64) {
	end := w.align()
	s := writer{b: w.b[:0]}
	s.b = append(s.b, signature...)
	s.u8(0, 0, 0, 0, 0, 8, 8, 0) // versions; bytes of an offset and of a length
	s.u16(leafK)
	s.u16(w.internalK)
	s.u32(0)         // consistency flags
	s.u64(0)         // base address
	s.u64(undefined) // no free space is kept track of
	s.u64(end)
	s.u64(undefined) // no driver
	s.u64(0)         // the root group's entry (III.C) has no name
	s.u64(root)
	s.zero(24) // nothing of it is cached here
}

// heap writes all texts as one global heap collection (III.E), at heapAddress.
func (w *writer) heap() {
	if len(w.texts) == 0 {
		return
	}
	const header = 16 // of the collection, and of each object
	used := header
	for _, t := range w.texts {
		used += header + pad8(len(t))
	}
	size := max(minHeap, used+header)
	w.b = append(w.b, "GCOL\x01\x00\x00\x00"...)
	w.u64(uint64(size))
	for i, t := range w.texts {
		w.u16(i + 1)
		w.u16(1) // references to it
		w.u32(0)
		w.u64(uint64(len(t)))
		w.b = append(w.b, t...)
		w.zero(pad8(len(t)) - len(t))
	}
	w.u64(0) // the free space is object 0
	w.u64(uint64(size - used))
	w.zero(size - used - header)
}

// heapAddress is where heap puts the collection.
const heapAddress = superblockSize

// pad8 rounds up to a multiple of 8.
func pad8(n int) int { return (n + 7) &^ 7 }
