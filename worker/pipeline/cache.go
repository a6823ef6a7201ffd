package pipeline

import (
	"context"
	"sync"
)

// corpusCache holds the corpora of the jobs that a process works on, so that all
// folds of a job share one, and the one used last, for what comes next.
type corpusCache struct {
	mu    sync.Mutex
	items map[string]*cached
	last  *cached // in use by nobody
}

// cached is a job's corpus, once loaded is closed.
type cached struct {
	job    string
	users  int
	loaded chan struct{} // closed when the rest is set
	corpus *corpus
	prep   *Preparation
	err    error
}

// acquire gives a job's corpus, which load makes if it is not there. The caller
// releases it when it is done, unless there is an error. One whose loading was
// interrupted is loaded again by whoever else waits for it.
func (c *corpusCache) acquire(ctx context.Context, job string, load func() (*corpus, *Preparation, error)) (*cached, error) {
	for {
		item, mine := c.take(job)
		if mine {
			item.corpus, item.prep, item.err = load()
			if item.err != nil {
				c.drop(item)
			}
			close(item.loaded)
			return item, item.err
		}
		select {
		case <-item.loaded:
		case <-ctx.Done():
			c.release(item)
			return nil, context.Cause(ctx)
		}
		if item.err == nil {
			return item, nil
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if _, fatal := asFailure(item.err); fatal {
			return nil, item.err
		}
	}
}

// take finds or makes a job's item; mine says that the caller is to load it.
func (c *corpusCache) take(job string) (item *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && c.last.job == job {
		c.put(c.last)
	}
	c.last = nil
	item = c.items[job]
	if item == nil {
		item, mine = &cached{job: job, loaded: make(chan struct{})}, true
		c.put(item)
	}
	item.users++
	return item, mine
}

func (c *corpusCache) put(item *cached) {
	if c.items == nil {
		c.items = map[string]*cached{}
	}
	c.items[item.job] = item
}

// release ends a use.
func (c *corpusCache) release(item *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if item.users--; item.users == 0 && c.items[item.job] == item {
		delete(c.items, item.job)
		c.last = item
	}
}

func (c *corpusCache) drop(item *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[item.job] == item {
		delete(c.items, item.job)
	}
}
