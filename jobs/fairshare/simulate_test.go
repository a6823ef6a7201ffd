package fairshare_test

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"polyid-trainer/jobs/fairshare"
)

// fleet is a simulated fleet of workers with a slot each. Time is what its events
// say, so that it always goes the same way.
type fleet struct {
	t       *testing.T
	now     time.Time
	rand    *rand.Rand
	events  events
	tokens  map[string]*token
	names   []string // of tokens, in order
	slots   int      // free
	running []*fold  // in order of their beginnings

	deaths float64 // chance that the worker of a fold dies over it
	ends   int     // of folds, so far
	spans  []span  // served
	waits  []wait
}

type token struct {
	name    string
	weight  float64
	limit   int
	waiting int
	running int
	known   bool
	minutes map[int64]float64 // worker-seconds
	since   int               // ends when it last had work waiting and none running; -1 otherwise
}

// fold is one that runs.
type fold struct {
	token   *token
	began   time.Time
	charged time.Time
	dies    bool
}

// span is service: when and whose.
type span struct {
	token      *token
	began, end time.Time
}

// wait is how many folds ended before one of a token began that had none running.
type wait struct {
	token *token
	ends  int
}

type event struct {
	at  time.Time
	do  func()
	seq int
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(e[i].at.Compare(e[j].at), cmp.Compare(e[i].seq, e[j].seq)) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newFleet(t *testing.T, slots int) *fleet {
	return &fleet{t: t, now: noon, rand: rand.New(rand.NewPCG(1, 2)), tokens: map[string]*token{}, slots: slots}
}

func (f *fleet) add(name string, weight float64, folds int) *token {
	tok := f.tokens[name]
	if tok == nil {
		tok = &token{name: name, weight: weight, minutes: map[int64]float64{}, since: -1}
		f.tokens[name] = tok
		f.names = slices.Sorted(maps.Keys(f.tokens))
	}
	tok.waiting += folds
	f.hungry(tok)
	return tok
}

func (f *fleet) at(at time.Time, do func()) {
	heap.Push(&f.events, event{at, do, f.events.Len() + f.ends})
}

// run lets time pass until nothing happens any more, or stop says so.
func (f *fleet) run(stop func() bool) {
	f.deal()
	for f.events.Len() > 0 && !stop() {
		e := heap.Pop(&f.events).(event)
		f.now = e.at
		e.do()
		f.deal()
	}
}

// deal gives free slots to whom the package says.
func (f *fleet) deal() {
	for f.slots > 0 {
		shares := f.shares()
		for i, seconds := range fairshare.Credit(shares) {
			f.tokens[shares[i].Token].minutes[fairshare.Minute(f.now)] += seconds
			shares[i].Served += seconds
		}
		for i := range shares {
			f.tokens[shares[i].Token].known = true
		}
		i := fairshare.Next(shares)
		if i < 0 {
			return
		}
		f.begin(f.tokens[shares[i].Token])
	}
}

func (f *fleet) shares() (shares []fairshare.Share) {
	begun := map[*token]float64{}
	for _, r := range f.running {
		r.token.minutes[fairshare.Minute(f.now)] += f.now.Sub(r.charged).Seconds()
		r.charged = f.now
		begun[r.token] += fairshare.Begun(f.now.Sub(r.began))
	}
	for _, name := range f.names {
		tok := f.tokens[name]
		if tok.waiting+tok.running == 0 {
			tok.known = false
			continue
		}
		byAge := make([]float64, fairshare.Minutes)
		for age := range byAge {
			byAge[age] = tok.minutes[fairshare.Minute(f.now)-int64(age)]
		}
		shares = append(shares, fairshare.Share{
			Token: tok.name, Weight: tok.weight, Limit: tok.limit, Waiting: tok.waiting, Running: tok.running,
			Served: fairshare.Served(byAge), Begun: begun[tok], New: !tok.known,
		})
	}
	return shares
}

func (f *fleet) begin(tok *token) {
	if tok.since >= 0 {
		f.waits = append(f.waits, wait{tok, f.ends - tok.since})
		tok.since = -1
	}
	r := &fold{token: tok, began: f.now, charged: f.now, dies: f.rand.Float64() < f.deaths}
	tok.waiting--
	tok.running++
	f.slots--
	f.running = append(f.running, r)
	takes := time.Duration(10e9 + f.rand.Int64N(50e9)) // 10 to 60 s
	if r.dies {
		takes = time.Duration(f.rand.Int64N(int64(takes)))
	}
	f.at(f.now.Add(takes), func() { f.end(r) })
}

func (f *fleet) end(r *fold) {
	r.token.minutes[fairshare.Minute(f.now)] += f.now.Sub(r.charged).Seconds()
	f.spans = append(f.spans, span{r.token, r.began, f.now})
	f.running = slices.DeleteFunc(f.running, func(o *fold) bool { return o == r })
	f.slots++
	f.ends++
	r.token.running--
	if r.dies { // seen after half a minute; another worker has come by then
		f.at(f.now.Add(25*time.Second), func() { r.token.waiting++; f.hungry(r.token) })
	}
	f.hungry(r.token)
}

// hungry notes since when a token has work waiting and none running.
func (f *fleet) hungry(tok *token) {
	if tok.waiting > 0 && tok.running == 0 && tok.since < 0 {
		tok.since = f.ends
	}
}

// busy reports whether all tokens have work waiting.
func (f *fleet) busy() bool {
	for _, tok := range f.tokens {
		if tok.waiting == 0 {
			return false
		}
	}
	return true
}

// jain is Jain's index of the worker-seconds per weight that tokens had in an
// interval: 1 if all had as much.
func (f *fleet) jain(from, to time.Time) float64 {
	had := map[*token]float64{}
	for _, s := range f.spans {
		began, end := s.began, s.end
		if began.Before(from) {
			began = from
		}
		if end.After(to) {
			end = to
		}
		if d := end.Sub(began); d > 0 {
			had[s.token] += d.Seconds() / s.token.weight
		}
	}
	var sum, squares float64
	for _, name := range f.names {
		x := had[f.tokens[name]]
		sum += x
		squares += x * x
	}
	return sum * sum / (float64(len(f.names)) * squares)
}

func (f *fleet) weights() (sum float64) {
	for _, tok := range f.tokens {
		sum += tok.weight
	}
	return sum
}

// Fifty tokens share a hundred workers, of which some die, in proportion to their
// weights.
func TestShares(t *testing.T) {
	f := newFleet(t, 100)
	f.deaths = 0.02
	const folds = 10000
	for i := range 50 {
		f.add(fmt.Sprintf("token%02d", i), float64(1+i%4), 0)
	}
	for _, tok := range f.tokens {
		tok.waiting = int(math.Round(folds * tok.weight / f.weights()))
		f.hungry(tok)
	}
	end := noon
	f.run(func() bool {
		if f.busy() {
			end = f.now
		}
		return false
	})
	least, windows := 1.0, 0
	for from := noon; !from.Add(10 * time.Minute).After(end); from = from.Add(15 * time.Second) {
		least = min(least, f.jain(from, from.Add(10*time.Minute)))
		windows++
	}
	most := 0.0
	for _, w := range f.waits {
		most = max(most, float64(w.ends)*w.token.weight/f.weights())
	}
	t.Logf("%d folds ended in %s, all tokens busy for %s: Jain's index of %d intervals of ten minutes is at least %.4f; the longest wait was %.2f of W/w fold ends",
		f.ends, f.now.Sub(noon).Round(time.Second), end.Sub(noon).Round(time.Second), windows, least, most)
	if windows < 50 || least < 0.97 {
		t.Errorf("Jain's index %.4f over %d intervals, want 0.97", least, windows)
	}
	if most > 1 {
		t.Errorf("a token waited for %.2f of W/w fold ends", most)
	}
}

// Tokens come and go: whoever comes waits for no more than its part of the folds
// to end, and so do those who were there.
func TestComing(t *testing.T) {
	f := newFleet(t, 100)
	for i := range 50 {
		f.add(fmt.Sprintf("token%02d", i), float64(1+i%4), 100)
	}
	for i := range 300 {
		name := fmt.Sprintf("token%02d", f.rand.IntN(50))
		if i%3 == 0 {
			name = fmt.Sprintf("visitor%02d", f.rand.IntN(20))
		}
		f.at(noon.Add(time.Duration(i)*10*time.Second), func() { f.add(name, float64(1+i%4), 1+f.rand.IntN(40)) })
	}
	f.run(func() bool { return false })
	most := 0.0
	for _, w := range f.waits {
		most = max(most, float64(w.ends)*w.token.weight/f.weights())
	}
	t.Logf("%d folds ended in %s; the longest wait was %.2f of W/w fold ends", f.ends, f.now.Sub(noon).Round(time.Second), most)
	if most > 1 {
		t.Errorf("a token waited for %.2f of W/w fold ends", most)
	}
}

// The same fleet goes the same way.
func TestDeterministic(t *testing.T) {
	run := func() (order []string) {
		f := newFleet(t, 10)
		f.deaths = 0.05
		for i := range 8 {
			f.add(fmt.Sprintf("token%d", i), float64(1+i%4), 40)
		}
		f.run(func() bool { return false })
		for _, s := range f.spans {
			order = append(order, fmt.Sprint(s.token.name, s.began, s.end))
		}
		return order
	}
	if a, b := run(), run(); !slices.Equal(a, b) {
		t.Error("two runs differ")
	}
}
