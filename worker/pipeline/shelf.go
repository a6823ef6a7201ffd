package pipeline

import (
	"context"
	"sync"
)

// shelf keeps the corpora of the jobs that a process works on, so that all folds
// of a job share one, and the one used last, for what comes next.
type shelf struct {
	mu    sync.Mutex
	items map[string]*shelved
	last  *shelved // in use by nobody
}

type shelved struct {
	job    string
	users  int
	loaded chan struct{} // closed when the rest is set
	corpus *corpus
	prep   *Preparation
	err    error
}

// borrow gives a job's corpus, which load makes if it is not there. The caller
// calls giveBack when it is done, unless there is an error. One whose loading
// was interrupted is loaded again by whoever else waits for it.
func (s *shelf) borrow(ctx context.Context, job string, load func() (*corpus, *Preparation, error)) (*shelved, error) {
	for {
		item, mine := s.take(job)
		if mine {
			item.corpus, item.prep, item.err = load()
			if item.err != nil {
				s.drop(item)
			}
			close(item.loaded)
			return item, item.err
		}
		select {
		case <-item.loaded:
		case <-ctx.Done():
			s.giveBack(item)
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
func (s *shelf) take(job string) (item *shelved, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.job == job {
		s.put(s.last)
	}
	s.last = nil
	item = s.items[job]
	if item == nil {
		item, mine = &shelved{job: job, loaded: make(chan struct{})}, true
		s.put(item)
	}
	item.users++
	return item, mine
}

func (s *shelf) put(item *shelved) {
	if s.items == nil {
		s.items = map[string]*shelved{}
	}
	s.items[item.job] = item
}

func (s *shelf) giveBack(item *shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if item.users--; item.users == 0 && s.items[item.job] == item {
		delete(s.items, item.job)
		s.last = item
	}
}

func (s *shelf) drop(item *shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[item.job] == item {
		delete(s.items, item.job)
	}
}
