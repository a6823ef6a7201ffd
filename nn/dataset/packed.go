package dataset

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"polyid-trainer/featurize"
)

// packed is a graph in a form to keep many of: a polymer's units differ in little
// but where they are, so bonds are written relative to their atoms and the whole
// is compressed, to about half a byte an atom. Its Rev is not kept, which no plan
// reads.
type packed []byte

// A bond is written as what it reaches: an earlier atom, which has named this one
// already, by its place among those that have and were not named back yet; the
// atom behind the farthest one that was reached, as each next hydrogen is; or
// another later atom by its distance.
const (
	farther = 0
	back    = 1 // + 2·place
	ahead   = 2 // + 2·distance
)

// packer packs and unpacks graphs, one at a time.
type packer struct {
	plain   []byte
	out     bytes.Buffer
	deflate *flate.Writer
	inflate io.ReadCloser
	waiting [][]int32 // by atom: the earlier ones that named it
}

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is one there is
	}
	return &packer{deflate: w, inflate: flate.NewReader(bytes.NewReader(nil))}
}}

func (p *packer) begin(atoms int) {
	if cap(p.waiting) < atoms {
		p.waiting = make([][]int32, atoms)
	}
	p.waiting = p.waiting[:atoms]
	for i := range p.waiting {
		p.waiting[i] = p.waiting[i][:0]
	}
}

// answer takes the place-th of the atoms that wait for u.
func (p *packer) answer(u int32, place int) int32 {
	w := p.waiting[u]
	v := w[place]
	p.waiting[u] = append(w[:place], w[place+1:]...)
	return v
}

// pack packs g, whose bonds are in the order of the atoms they leave.
func (p *packer) pack(g *featurize.Graph) (packed, error) {
	p.begin(len(g.Atom))
	b := binary.AppendUvarint(p.plain[:0], uint64(len(g.Atom)))
	far, e := int32(-1), 0
	for u := range g.Atom {
		end := e
		for end < len(g.Src) && int(g.Src[end]) == u {
			end++
		}
		b = binary.AppendUvarint(b, uint64(g.Atom[u]))
		b = binary.AppendUvarint(b, uint64(end-e))
		for ; e < end; e++ {
			b = binary.AppendUvarint(b, uint64(g.Bond[e]))
			switch v := g.Dst[e]; {
			case v > int32(u):
				code := ahead + 2*uint64(v-int32(u))
				if v == far+1 {
					code = farther
				}
				far = max(far, v)
				p.waiting[v] = append(p.waiting[v], int32(u))
				b = binary.AppendUvarint(b, code)
			default:
				place := place(p.waiting[u], v)
				if place < 0 {
					return nil, fmt.Errorf("bond %d to atom %d has no other direction", e, v)
				}
				p.answer(int32(u), place)
				b = binary.AppendUvarint(b, back+2*uint64(place))
			}
		}
	}
	p.plain = b
	if e != len(g.Src) {
		return nil, fmt.Errorf("bond %d leaves atom %d out of order", e, g.Src[e])
	}
	p.out.Reset()
	p.deflate.Reset(&p.out)
	if _, err := p.deflate.Write(b); err != nil {
		return nil, err
	}
	if err := p.deflate.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(p.out.Bytes()), nil
}

func place(list []int32, v int32) int {
	for i, w := range list {
		if w == v {
			return i
		}
	}
	return -1
}

// unpack is the graph that was packed, without Rev.
func (p *packer) unpack(b packed) (*featurize.Graph, error) {
	if err := p.inflate.(flate.Resetter).Reset(bytes.NewReader(b), nil); err != nil {
		return nil, err
	}
	plain := bytes.NewBuffer(p.plain[:0])
	if _, err := plain.ReadFrom(p.inflate); err != nil {
		return nil, err
	}
	p.plain = plain.Bytes()
	r := reader{b: p.plain}
	n := int(r.next())
	p.begin(n)
	g := &featurize.Graph{Atom: make([]int32, n), Bond: make([]int32, 0, 3*n), Src: make([]int32, 0, 3*n), Dst: make([]int32, 0, 3*n)}
	far := int32(-1)
	for u := range int32(n) {
		g.Atom[u] = int32(r.next())
		for range r.next() {
			g.Bond = append(g.Bond, int32(r.next()))
			g.Src = append(g.Src, u)
			var v int32
			switch code := r.next(); {
			case code == farther:
				v = far + 1
			case code%2 == back:
				v = p.answer(u, int(code/2))
			default:
				v = u + int32(code/2) - ahead/2
			}
			if v > u {
				far = max(far, v)
				p.waiting[v] = append(p.waiting[v], u)
			}
			g.Dst = append(g.Dst, v)
		}
	}
	return g, nil
}

// reader reads numbers that pack wrote.
type reader struct{ b []byte }

func (r *reader) next() uint64 {
	x, n := binary.Uvarint(r.b)
	r.b = r.b[max(n, 1):]
	return x
}
