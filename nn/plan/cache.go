package plan

import (
	"sync"

	"polyid-trainer/featurize"
)

// Cache keeps the plans of the graphs it has seen, so that equal graphs share
// one. Its graphs must come from one featurizer. It may be used by any number
// of goroutines.
type Cache struct {
	blocks int
	mu     sync.Mutex
	plans  map[featurize.Key]*Plan
	build  Builder
}

// NewCache makes an empty Cache of plans for networks of blocks blocks.
func NewCache(blocks int) *Cache {
	return &Cache{blocks: blocks, plans: map[featurize.Key]*Plan{}}
}

// Plan returns the plan of g.
func (c *Cache) Plan(g *featurize.Graph) *Plan {
	key := g.Key()
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.plans[key]
	if !ok {
		p = c.build.Build(g, c.blocks)
		c.plans[key] = p
	}
	return p
}

// Len is the number of distinct plans.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.plans)
}

// Bytes is the memory the plans take.
func (c *Cache) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.plans {
		n += p.Bytes()
	}
	return n
}
