// Package safetensors writes and reads files of named float32 arrays in the
// safetensors format, with a checksum of all that they hold.
//
// A file is the header's length in 8 bytes, the header in JSON, and the arrays in
// little-endian float32. Python's safetensors library loads it. The bytes depend
// on what is written alone.
//
// Reading runs no code, and its memory grows with the bytes that arrive, not with
// what a header claims. A library would not serve: the one in Go,
// github.com/nlpodyssey/safetensors, is unreleased, takes tensors as one buffer of
// bytes in memory and lets a header of any 100 MB through.
package safetensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strings"
)

// MaxHeader bounds the JSON header of a file, in bytes. A header holds the
// tensors' places (20 kB a set), the vocabulary and, in a checkpoint, the epoch
// history (about 300 bytes an epoch): 64 MiB is a training of 200,000 epochs.
// The safetensors library itself stops at 100 MB.
const MaxHeader = 64 << 20

// SumKey is the metadata entry that holds the SHA-256 of the header, written
// with this entry empty, and the payload.
const SumKey = "sha256"

const metadataKey = "__metadata__"

// Tensor is one named array of a file.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32 // in C order
}

// entry is a tensor's place, as the header states it.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // bytes from the payload's start
}

// Header is a file's header: the metadata, and the tensors in payload order.
type Header struct {
	Meta    map[string]string
	names   []string
	entries []entry
}

// LayOut places tensors one after the other.
func LayOut(meta map[string]string, tensors []Tensor) Header {
	h := Header{Meta: meta}
	var at int64
	for _, t := range tensors {
		end := at + 4*int64(elements(t.Shape))
		h.names = append(h.names, t.Name)
		h.entries = append(h.entries, entry{DType: "F32", Shape: t.Shape, Offsets: [2]int64{at, end}})
		at = end
	}
	return h
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Encode writes the header with sum as its checksum: a JSON object, metadata
// first with its keys sorted, then the tensors in order, padded with spaces so
// that the payload begins at a multiple of 8 bytes. Equal headers give equal
// bytes.
func (h *Header) Encode(sum string) ([]byte, error) {
	meta := map[string]string{SumKey: sum}
	for k, v := range h.Meta {
		if k != SumKey {
			meta[k] = v
		}
	}
	var b bytes.Buffer
	field := func(key string, value any) error {
		k, err := json.Marshal(key)
		if err != nil {
			return err
		}
		v, err := json.Marshal(value)
		if err != nil {
			return err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
		return nil
	}
	b.WriteByte('{')
	if err := field(metadataKey, meta); err != nil {
		return nil, err
	}
	for i, name := range h.names {
		b.WriteByte(',')
		if err := field(name, h.entries[i]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > MaxHeader {
		return nil, fmt.Errorf("the header takes %d bytes, more than %d", b.Len(), MaxHeader)
	}
	return b.Bytes(), nil
}

// decodeHeader parses what Encode wrote. Any valid safetensors header parses,
// so that a foreign file can be told apart from a damaged one.
func decodeHeader(b []byte) (Header, error) {
	h := Header{}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return h, fmt.Errorf("its header is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return h, fmt.Errorf("its header is not JSON: %w", err)
		}
		name, ok := t.(string)
		if !ok || seen[name] {
			return h, fmt.Errorf("its header names %v twice", t)
		}
		seen[name] = true
		if name == metadataKey {
			err = d.Decode(&h.Meta)
		} else {
			var e entry
			err = d.Decode(&e)
			h.names, h.entries = append(h.names, name), append(h.entries, e)
		}
		if err != nil {
			return h, fmt.Errorf("its header's %q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return h, fmt.Errorf("its header is not JSON: %w", err)
	}
	if rest := b[d.InputOffset():]; len(bytes.TrimRight(rest, " ")) > 0 {
		return h, fmt.Errorf("its header goes on after its end")
	}
	return h, nil
}

// Equal tells where two headers place different tensors, or nil.
func (h *Header) Equal(want *Header) error {
	for i, name := range want.names {
		if i >= len(h.names) {
			return fmt.Errorf("it lacks tensor %s", name)
		}
		got, e := h.entries[i], want.entries[i]
		switch {
		case h.names[i] != name:
			return fmt.Errorf("tensor %d is %.80q, want %s", i, h.names[i], name)
		case got.DType != e.DType:
			return fmt.Errorf("tensor %s holds %.20q, want %s", name, got.DType, e.DType)
		case !slices.Equal(got.Shape, e.Shape):
			return fmt.Errorf("tensor %s has shape %v, want %v", name, got.Shape, e.Shape)
		case got.Offsets != e.Offsets:
			return fmt.Errorf("tensor %s lies at %v, want %v", name, got.Offsets, e.Offsets)
		}
	}
	if n := len(want.names); len(h.names) > n {
		return fmt.Errorf("it has a tensor %.80q that belongs to no such model", h.names[n])
	}
	return nil
}

// Write writes a file; its metadata gets the checksum as SumKey. The bytes depend on the arguments
// alone. The payload is read twice, once for the checksum.
func Write(w io.Writer, meta map[string]string, tensors []Tensor) error {
	h := LayOut(meta, tensors)
	plain, err := h.Encode("")
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write(plain)
	if err := writeFloats(sum, tensors); err != nil {
		return err
	}
	full, err := h.Encode(hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return err
	}
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(full)))
	for _, b := range [][]byte{size[:], full} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return writeFloats(w, tensors)
}

// chunk is how many floats are converted at a time.
const chunk = 16 << 10

func writeFloats(w io.Writer, tensors []Tensor) error {
	buf := make([]byte, 0, 4*chunk)
	for _, t := range tensors {
		for part := range slices.Chunk(t.Data, chunk) {
			buf = buf[:0]
			for _, x := range part {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
	}
	return nil
}

// Read reads a file whose arrays hold no more than limit floats together. Arrays
// must be float32 and lie one after the other.
func Read(r io.Reader, limit int) (meta map[string]string, tensors map[string]Tensor, err error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nil, nil, err
	}
	want := make([]Tensor, len(h.names))
	left := limit
	for i, name := range h.names {
		for _, d := range h.entries[i].Shape {
			if d < 0 || d > limit {
				return nil, nil, fmt.Errorf("tensor %.80q has shape %v", name, h.entries[i].Shape)
			}
		}
		want[i] = Tensor{Name: name, Shape: h.entries[i].Shape}
		n, ok := elementsWithin(want[i].Shape, left)
		if !ok {
			return nil, nil, fmt.Errorf("its tensors hold more than %d values", limit)
		}
		left -= n
	}
	places := LayOut(h.Meta, want)
	if err := h.Equal(&places); err != nil {
		return nil, nil, err
	}
	p, err := NewPayload(r, &h)
	if err != nil {
		return nil, nil, err
	}
	tensors = make(map[string]Tensor, len(want))
	for _, t := range want {
		if t.Data, err = p.Floats(elements(t.Shape), "tensor "+t.Name); err != nil {
			return nil, nil, err
		}
		tensors[t.Name] = t
	}
	return h.Meta, tensors, p.End(h.Meta[SumKey])
}

// elementsWithin is the number of values of a shape, if it is at most most.
func elementsWithin(shape []int, most int) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d != 0 && n > most/d {
			return 0, false
		}
		n *= d
	}
	return n, n <= most
}

// ReadHeader reads a file up to its payload.
func ReadHeader(r io.Reader) (Header, error) {
	var size [8]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return Header{}, truncated("its header's length", err)
	}
	n := binary.LittleEndian.Uint64(size[:])
	var err error
	// The buffer grows with what arrives: a length that lies costs nothing.
	var b bytes.Buffer
	if n <= MaxHeader {
		_, err = io.CopyN(&b, r, int64(n))
	}
	if n > MaxHeader || b.Len() > 0 && b.Bytes()[0] != '{' {
		return Header{}, fmt.Errorf("not a safetensors file: %s", kind(size, n))
	}
	if err != nil {
		return Header{}, truncated("its header", err)
	}
	return decodeHeader(b.Bytes())
}

// kind guesses at what a file is that does not begin like safetensors.
func kind(first [8]byte, n uint64) string {
	for magic, name := range map[string]string{
		"\x89HDF":    "it is HDF5, as Keras saves (import it instead)",
		"\x80\x04":   "it is a Python pickle, which is never loaded here",
		"PK\x03\x04": "it is a zip archive",
		"version ":   "it is a Git LFS pointer, not the file itself",
	} {
		if strings.HasPrefix(string(first[:]), magic) {
			return name
		}
	}
	return fmt.Sprintf("its first bytes claim a header of %d bytes", n)
}

// truncated explains the error of a read that should have succeeded.
func truncated(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file is truncated: it ends within %s", what)
	}
	return err
}

// Payload reads a file's tensors in order and sums them up.
type Payload struct {
	r   io.Reader
	sum hash.Hash
	buf []byte
}

// NewPayload begins at the payload of a file with header h.
func NewPayload(r io.Reader, h *Header) (*Payload, error) {
	plain, err := h.Encode("")
	if err != nil {
		return nil, err
	}
	p := &Payload{r: r, sum: sha256.New(), buf: make([]byte, 4*chunk)}
	p.sum.Write(plain)
	return p, nil
}

// Floats reads n values. The slice grows with what arrives.
func (p *Payload) Floats(n int, what string) ([]float32, error) {
	out := make([]float32, 0, min(n, maxAhead))
	for len(out) < n {
		b := p.buf[:4*min(chunk, n-len(out))]
		if _, err := io.ReadFull(p.r, b); err != nil {
			return nil, truncated(what, err)
		}
		p.sum.Write(b)
		for ; len(b) > 0; b = b[4:] {
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	}
	return out, nil
}

// maxAhead is how many floats are made room for before any has arrived: a set
// of the default network's parameters and a half more.
const maxAhead = 6 << 20

// End checks that the file ends here and that its checksum is want.
func (p *Payload) End(want string) error {
	if n, err := io.ReadFull(p.r, p.buf[:1]); n > 0 {
		return fmt.Errorf("the file goes on after its last tensor")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	if got := hex.EncodeToString(p.sum.Sum(nil)); got != want {
		return fmt.Errorf("the file is corrupted: its checksum is %s, it says %.64q", got, want)
	}
	return nil
}
