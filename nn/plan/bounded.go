package plan

import (
	"container/list"
	"sync"
)

// Bounded holds plans by number, as many as fit into so many bytes: of more, those
// that were asked for last. What it does not hold is built again, so that its
// size changes the time of a training and nothing else. It may be used by any
// number of goroutines.
type Bounded struct {
	limit int

	mu     sync.Mutex
	bytes  int
	recent list.List // of *held, the one asked for last in front
	plans  map[int32]*list.Element

	builders sync.Pool
}

type held struct {
	number int32
	plan   *Plan
	bytes  int
}

// NewBounded makes an empty Bounded of at most limit bytes of plans.
func NewBounded(limit int) *Bounded {
	return &Bounded{limit: limit, plans: map[int32]*list.Element{}, builders: sync.Pool{New: func() any { return new(Builder) }}}
}

// Plan returns the plan of a number, which build makes if it is not held. Two
// callers at once may both build it; they get one of the two.
func (c *Bounded) Plan(number int32, build func(*Builder) *Plan) *Plan {
	if p := c.find(number); p != nil {
		return p
	}
	b := c.builders.Get().(*Builder)
	p := build(b)
	c.builders.Put(b)
	return c.hold(number, p)
}

func (c *Bounded) find(number int32) *Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.plans[number]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(at)
	return at.Value.(*held).plan
}

func (c *Bounded) hold(number int32, p *Plan) *Plan {
	h := &held{number, p, p.Bytes()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.plans[number]; ok { // another caller was quicker
		return at.Value.(*held).plan
	}
	c.plans[number] = c.recent.PushFront(h)
	for c.bytes += h.bytes; c.bytes > c.limit; {
		last := c.recent.Remove(c.recent.Back()).(*held)
		delete(c.plans, last.number)
		c.bytes -= last.bytes
	}
	return p
}

// Bytes is the memory that the plans held take.
func (c *Bounded) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}
