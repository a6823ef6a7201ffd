package nn

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
)

// embeddingRange bounds a fresh embedding, Keras' "uniform" initialiser.
const embeddingRange = 0.05

// Init fills p as Keras does: kernels Glorot uniform, biases zero, embeddings
// uniform in ±0.05. Every tensor has a generator of its own, keyed by seed and
// name, so its values depend on nothing else.
func (p *Params) Init(seed uint64) {
	for name, t := range p.Tensors() {
		var limit float64
		switch {
		case strings.HasSuffix(name, ".bias"):
		case strings.HasSuffix(name, ".kernel"):
			limit = math.Sqrt(6 / float64(t.Shape[0]+t.Shape[1])) // Glorot & Bengio 2010, eq. 16
		default:
			limit = embeddingRange
		}
		h := fnv.New64a()
		h.Write([]byte(name))
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		for i := range t.Data {
			t.Data[i] = float32(limit * (2*r.Float64() - 1))
		}
	}
}
