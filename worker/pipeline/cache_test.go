package pipeline

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// What several folds acquire at once is loaded once, and stays for the next one.
func TestCorpusCache(t *testing.T) {
	var s corpusCache
	loads := 0
	acquire := func(job string) *cached {
		t.Helper()
		item, err := s.acquire(t.Context(), job, func() (*corpus, *Preparation, error) {
			loads++
			return &corpus{}, &Preparation{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return item
	}
	a, b := acquire("a"), acquire("a")
	if a != b || loads != 1 {
		t.Fatalf("%d loads for two", loads)
	}
	s.release(a)
	s.release(b)
	if acquire("a") != a || loads != 1 {
		t.Errorf("%d loads for one after the other", loads)
	}
	s.release(a)
	s.release(acquire("b"))
	if s.last == nil || s.last.job != "b" || len(s.items) != 0 {
		t.Errorf("left %+v and %d more, want the last one alone", s.last, len(s.items))
	}
	if acquire("a") == a || loads != 3 {
		t.Errorf("%d loads, with another job between", loads)
	}
}

// A load that was interrupted is made again by who waits; one that cannot
// succeed is not.
func TestCorpusCacheErrors(t *testing.T) {
	var s corpusCache
	loading, release := make(chan struct{}), make(chan error)
	var first sync.WaitGroup
	begin := func() {
		first.Go(func() {
			_, _ = s.acquire(context.Background(), "a", func() (*corpus, *Preparation, error) {
				loading <- struct{}{}
				return nil, nil, <-release
			})
		})
		<-loading
	}
	for _, c := range []struct {
		err   error
		again bool
	}{{errors.New("storage is away"), true}, {failure("invalid_dataset", "no"), false}} {
		begin()
		again := false
		var second sync.WaitGroup
		var err error
		second.Go(func() {
			var item *cached
			item, err = s.acquire(context.Background(), "a", func() (*corpus, *Preparation, error) {
				again = true
				return &corpus{}, nil, nil
			})
			if err == nil {
				s.release(item)
			}
		})
		for waits := false; !waits; { // until the second has joined the first
			s.mu.Lock()
			waits = s.items["a"] != nil && s.items["a"].users == 2
			s.mu.Unlock()
		}
		release <- c.err
		first.Wait()
		second.Wait()
		if again != c.again || (err == nil) != c.again {
			t.Errorf("%v: loaded again %v, %v", c.err, again, err)
		}
		s.last = nil
	}
	if _, err := s.acquire(t.Context(), "b", func() (*corpus, *Preparation, error) { return nil, nil, errors.New("away") }); err == nil || len(s.items) != 0 {
		t.Errorf("a failed load: %v, %d left", err, len(s.items))
	}
}
