package hdf5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// signature begins every HDF5 file (II.A).
const signature = "\x89HDF\r\n\x1a\n"

// undefined is the address of what is not there.
const undefined = ^uint64(0)

// File is a parsed file.
type File struct {
	b     []byte
	root  uint64 // address of the root group's object header
	steps int    // left before the file is refused as a maze
	reads uint64 // values that datasets may still hold, if no two of them overlap
	names int    // bytes that names of members may still take
	heaps map[uint64]map[uint16][]byte
	trees map[uint64]map[string]uint64
}

// Parse reads the superblock of a file. b must not change while the File or
// anything read from it is in use.
func Parse(b []byte) (*File, error) {
	if !strings.HasPrefix(string(b[:min(len(b), 8)]), signature) {
		return nil, errors.New("not an HDF5 file")
	}
	f := &File{b: b, steps: min(maxSteps, leastSteps+len(b)), names: maxName + 2*len(b), reads: uint64(len(b) / 4), heaps: map[uint64]map[uint16][]byte{}, trees: map[uint64]map[string]uint64{}}
	// The superblock (II.A), 96 bytes with the root group's symbol table entry.
	s, err := f.at(0, 96, "superblock")
	if err != nil {
		return nil, err
	}
	if v := s[8]; v != 0 {
		return nil, fmt.Errorf("superblock version %d is not read (Keras writes 0)", v)
	}
	if s[13] != 8 || s[14] != 8 {
		return nil, fmt.Errorf("offsets of %d and lengths of %d bytes are not read (8 are usual)", s[13], s[14])
	}
	if base := u64(s[24:]); base != 0 {
		return nil, fmt.Errorf("base address %d is not read", base)
	}
	if end := u64(s[40:]); end > uint64(len(b)) {
		return nil, fmt.Errorf("the file is truncated: it has %d bytes of %d", len(b), end)
	}
	f.root = u64(s[64:])
	return f, nil
}

// maxSteps bounds the links a file makes its reader follow: a saved model takes
// a few thousand.
const maxSteps = 1 << 20

// leastSteps is how many links even a small file may have followed, since some are
// followed more than once.
const leastSteps = 1 << 16

// step counts one link.
func (f *File) step() error {
	if f.steps--; f.steps < 0 {
		return errors.New("the file has too many links")
	}
	return nil
}

// at is the n bytes at an address.
func (f *File) at(addr, n uint64, what string) ([]byte, error) {
	size := uint64(len(f.b))
	if addr > size || n > size-addr {
		return nil, fmt.Errorf("%s at byte %d goes beyond the file", what, addr)
	}
	return f.b[addr : addr+n : addr+n], nil
}

// tagged is the n bytes at an address, which begin with tag.
func (f *File) tagged(addr, n uint64, tag, what string) ([]byte, error) {
	b, err := f.at(addr, n, what)
	if err != nil {
		return nil, err
	}
	if string(b[:4]) != tag {
		return nil, fmt.Errorf("no %s at byte %d", what, addr)
	}
	return b, nil
}

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// fields takes a message apart. Reading past its end sets short.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.short, f.b = true, nil
		return make([]byte, min(max(n, 0), 8))
	}
	b := f.b[:n:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) u8() byte    { return f.take(1)[0] }
func (f *fields) u16() uint16 { return u16(f.take(2)) }
func (f *fields) u32() uint32 { return u32(f.take(4)) }
func (f *fields) u64() uint64 { return u64(f.take(8)) }
