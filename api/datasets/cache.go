package datasets

import (
	"context"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

// cachedRows bounds the tables that are kept parsed, in rows of all of them.
// A row takes about 1 kB, and as much again once a job has a copy.
const cachedRows = 400_000

// cache keeps parsed tables, and parses none twice at once.
type cache struct {
	mu     sync.Mutex
	kept   *lru.LRU[string, *Table]
	rows   int
	flight singleflight.Group
}

func newCache() *cache {
	c := &cache{}
	// It is bounded by rows; a table without any is none.
	c.kept, _ = lru.NewLRU(cachedRows, func(_ string, t *Table) { c.rows -= t.Rows() })
	return c
}

// table is what is kept under key, or what parse makes. That goes on when ctx
// ends: others may wait for it.
func (c *cache) table(ctx context.Context, key string, parse func(context.Context) (*Table, error)) (*Table, error) {
	c.mu.Lock()
	t, ok := c.kept.Get(key)
	c.mu.Unlock()
	if ok {
		return t, nil
	}
	v, err, _ := c.flight.Do(key, func() (any, error) {
		t, err := parse(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.kept.Add(key, t)
		for c.rows += t.Rows(); c.rows > cachedRows && c.kept.Len() > 1; {
			c.kept.RemoveOldest()
		}
		return t, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*Table), nil
}
