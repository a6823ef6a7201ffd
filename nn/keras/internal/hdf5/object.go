package hdf5

import (
	"fmt"
	"strings"
)

// The header messages that are read (IV.A.2).
const (
	msgDataspace    = 0x0001
	msgDatatype     = 0x0003
	msgLayout       = 0x0008
	msgFilters      = 0x000b
	msgAttribute    = 0x000c
	msgContinuation = 0x0010
	msgSymbolTable  = 0x0011
)

// message is one header message.
type message struct {
	kind uint16
	body []byte
}

// Object is a group or a dataset.
type Object struct {
	f        *File
	name     string
	messages []message
}

// Root is the file's root group.
func (f *File) Root() (*Object, error) { return f.object(f.root, "/") }

// object reads an object header of version 1 (IV.A.1.a) with its continuations.
func (f *File) object(addr uint64, name string) (*Object, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	h, err := f.at(addr, 16, "object header")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if h[0] != 1 {
		return nil, fmt.Errorf("%s: object header version %d is not read (Keras writes 1)", name, h[0])
	}
	o := &Object{f: f, name: name}
	blocks := [][2]uint64{{addr + 16, uint64(u32(h[8:]))}}
	for len(blocks) > 0 {
		b, err := f.at(blocks[0][0], blocks[0][1], "object header block")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		blocks = blocks[1:]
		for len(b) >= 8 {
			if err := f.step(); err != nil {
				return nil, err
			}
			kind, size, flags := u16(b), int(u16(b[2:])), b[4]
			if size > len(b)-8 {
				return nil, fmt.Errorf("%s: a header message goes beyond its block", name)
			}
			body := b[8 : 8+size : 8+size]
			b = b[8+size:]
			if kind == msgContinuation {
				c := fields{b: body}
				at, n := c.u64(), c.u64()
				if c.short {
					return nil, fmt.Errorf("%s: a continuation message is too short", name)
				}
				blocks = append(blocks, [2]uint64{at, n})
				continue
			}
			if shared := flags&2 != 0; shared && (kind == msgDataspace || kind == msgDatatype || kind == msgAttribute) {
				return nil, fmt.Errorf("%s: shared header messages are not read", name)
			}
			o.messages = append(o.messages, message{kind, body})
		}
	}
	return o, nil
}

func (o *Object) message(kind uint16) ([]byte, bool) {
	for _, m := range o.messages {
		if m.kind == kind {
			return m.body, true
		}
	}
	return nil, false
}

// Child finds an object below a group by its slash-separated path.
func (o *Object) Child(path string) (*Object, error) {
	for part := range strings.SplitSeq(path, "/") {
		children, err := o.children()
		if err != nil {
			return nil, err
		}
		addr, ok := children[part]
		if !ok {
			return nil, fmt.Errorf("%s has no member %.80q", o.name, part)
		}
		if o, err = o.f.object(addr, strings.TrimSuffix(o.name, "/")+"/"+part); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// children reads a group's members: name to object header address.
func (o *Object) children() (map[string]uint64, error) {
	body, ok := o.message(msgSymbolTable)
	if !ok {
		return nil, fmt.Errorf("%s is not a group with a symbol table", o.name)
	}
	m := fields{b: body}
	tree, heap := m.u64(), m.u64()
	if m.short {
		return nil, fmt.Errorf("%s: its symbol table message is too short", o.name)
	}
	if known, ok := o.f.trees[tree]; ok {
		return known, nil
	}
	names, err := o.f.localHeap(heap)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	children := map[string]uint64{}
	if err := o.f.tree(tree, names, children, -1); err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	o.f.trees[tree] = children
	return children, nil
}

// localHeap is the data segment of a local heap (III.D), which holds names.
func (f *File) localHeap(addr uint64) ([]byte, error) {
	h, err := f.tagged(addr, 32, "HEAP", "local heap")
	if err != nil {
		return nil, err
	}
	return f.at(u64(h[24:]), u64(h[8:]), "local heap's data")
}

// tree walks a group's B-tree of version 1 (III.A.1). Every level must be one
// below its parent's, so a tree that bites its tail is refused; level -1 is
// that of no parent.
func (f *File) tree(addr uint64, names []byte, into map[string]uint64, parent int) error {
	if err := f.step(); err != nil {
		return err
	}
	h, err := f.tagged(addr, 24, "TREE", "B-tree node")
	if err != nil {
		return err
	}
	level, used := int(h[5]), uint64(u16(h[6:]))
	if h[4] != 0 || parent >= 0 && level != parent-1 {
		return fmt.Errorf("the B-tree node at byte %d is of type %d and level %d, out of place", addr, h[4], level)
	}
	keys, err := f.at(addr+24, 8+16*used, "B-tree node")
	if err != nil {
		return err
	}
	for i := range used {
		child := u64(keys[8+16*i:])
		if level > 0 {
			err = f.tree(child, names, into, level)
		} else {
			err = f.symbols(child, names, into)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// symbols reads a symbol table node (III.B).
func (f *File) symbols(addr uint64, names []byte, into map[string]uint64) error {
	h, err := f.tagged(addr, 8, "SNOD", "symbol table node")
	if err != nil {
		return err
	}
	n := uint64(u16(h[6:]))
	entries, err := f.at(addr+8, 40*n, "symbol table node")
	if err != nil {
		return err
	}
	for ; len(entries) > 0; entries = entries[40:] {
		if err := f.step(); err != nil {
			return err
		}
		at := u64(entries)
		if at >= uint64(len(names)) {
			return fmt.Errorf("a member's name lies outside the group's heap")
		}
		name, _, ok := strings.Cut(string(names[at:min(at+maxName, uint64(len(names)))]), "\x00")
		if !ok {
			return fmt.Errorf("a member's name has no end")
		}
		// Members whose names overlap would let a small file fill memory.
		if _, known := into[name]; !known {
			if f.names -= len(name); f.names < 0 {
				return fmt.Errorf("the names of its members are longer than the file")
			}
		}
		into[name] = u64(entries[8:])
	}
	return nil
}

// maxName bounds the length of a name.
const maxName = 1024
