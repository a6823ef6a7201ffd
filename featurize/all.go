package featurize

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Result is the graph of one row, or why it has none.
type Result struct {
	Graph *Graph
	Err   error
}

// chunk is how many rows a worker takes at a time: enough to make taking them
// cheap, few enough to keep the workers even.
const chunk = 32

// All makes the graphs of many SMILES with several workers (0: one per core).
// Results are in the order of the rows, and Lexicon ids as if the rows had been
// featurized one after another, whatever the number of workers. A row that
// cannot be read has its error in its Result and does not hold up the others.
//
// progress, if not nil, is called with the number of rows done, never from two
// goroutines at once and with rising numbers. When ctx ends, All returns its
// error.
func (f *Featurizer) All(ctx context.Context, rows []string, workers int, progress func(done, total int)) ([]Result, error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = max(1, min(workers, (len(rows)+chunk-1)/chunk))

	// Each worker numbers features by lexicons of its own, since the order in
	// which workers meet a feature is a matter of chance.
	own := make([]Lexicons, workers)
	madeBy := make([]int32, len(rows))
	results := make([]Result, len(rows))

	var wg sync.WaitGroup
	var next atomic.Int64
	report := reporter{total: len(rows), call: progress}
	for w := range workers {
		wg.Go(func() {
			b := f.builder(&own[w])
			for ctx.Err() == nil {
				end := int(next.Add(chunk))
				start := end - chunk
				if start >= len(rows) {
					return
				}
				end = min(end, len(rows))
				for i := start; i < end; i++ {
					madeBy[i] = int32(w)
					m, err := f.Read(rows[i])
					if err != nil {
						results[i].Err = err
						continue
					}
					results[i].Graph = b.build(m)
				}
				report.add(end - start)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	atoms, bonds := make([]translation, workers), make([]translation, workers)
	for w := range workers {
		atoms[w] = newTranslation(&own[w].Atom, &f.Atom)
		bonds[w] = newTranslation(&own[w].Bond, &f.Bond)
	}
	for i, r := range results {
		if r.Graph != nil {
			atoms[madeBy[i]].apply(r.Graph.Atom)
			bonds[madeBy[i]].apply(r.Graph.Bond)
		}
	}
	return results, nil
}

// reporter adds up progress from several goroutines.
type reporter struct {
	mu          sync.Mutex
	done, total int
	call        func(done, total int)
}

func (r *reporter) add(n int) {
	if r.call == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += n
	r.call(r.done, r.total)
}

// translation maps the ids of one Lexicon to those of another.
type translation struct {
	words []string // of the one, by id
	to    *Lexicon
	ids   []int32 // by id of the one; -1 = not translated yet
}

func newTranslation(from, to *Lexicon) translation {
	words := from.Words()
	ids := make([]int32, len(words))
	for i := range ids {
		ids[i] = -1
	}
	return translation{words: words, to: to, ids: ids}
}

func (t *translation) apply(ids []int32) {
	for i, id := range ids {
		if t.ids[id] < 0 {
			t.ids[id] = t.to.ID([]byte(t.words[id]))
		}
		ids[i] = t.ids[id]
	}
}
