package screenings

import (
	"fmt"
	"slices"
	"time"

	"polyid-trainer/jobs/lease"
)

// Ledger says which shards are claimed and done. Its size is that of the claims in
// force and of the workers there were.
type Ledger struct {
	Shards int     `json:"shards"`
	Next   int     `json:"next"`           // the first shard that was never claimed
	Left   []Range `json:"left,omitempty"` // claimed, and left undone
	Open   []Open  `json:"open,omitempty"` // claims in force
	Claims int     `json:"claims"`         // so far: the number of the next

	Done    int              `json:"done"` // shards, of claims that have ended
	Tally                    // likewise
	Workers map[string]int64 `json:"workers,omitempty"` // rows, by who predicted them

	// Kernel is what the first claim computes with; others that take part compute
	// with the same, unless the screening allows any.
	Kernel string `json:"kernel,omitempty"`
	// MaxDifference is the largest difference between two kernels' predictions of
	// the same rows, in standard deviations over the folds; where any kernel may
	// take part and several do.
	MaxDifference float64 `json:"max_difference,omitempty"`
}

// Tally is what came of some shards.
type Tally struct {
	Rows    int64   `json:"rows"`
	Failed  int64   `json:"failed"`  // rows that could not be predicted
	Kept    int64   `json:"kept"`    // rows that where holds of
	Seconds float64 `json:"seconds"` // of a worker's process
	USD     float64 `json:"usd"`
}

func (t *Tally) add(o Tally) {
	t.Rows += o.Rows
	t.Failed += o.Failed
	t.Kept += o.Kept
	t.Seconds += o.Seconds
	t.USD += o.USD
}

// Range is shards that follow one another, from one up to another, with what went
// wrong with them so far.
type Range struct {
	From  int         `json:"from"`
	To    int         `json:"to"`
	Lease lease.Lease `json:"lease,omitzero"`
}

// Open is a claim in force.
type Open struct {
	Number int `json:"number"`
	Range
}

// Claim is what a worker says of its block while it works on it.
type Claim struct {
	Number int `json:"number"`
	From   int `json:"from"`
	To     int `json:"to"`
	Next   int `json:"next"` // the first shard that is not done
	Tally      // of those that are
	// Hint is the part of the next shard that is done, in rows: live progress,
	// which nothing depends on.
	Hint  int64       `json:"hint,omitempty"`
	Lease lease.Lease `json:"lease"`
}

// CheckRecord reports what cannot be true of a ledger.
func (l *Ledger) CheckRecord(string) error {
	if l.Next < 0 || l.Next > l.Shards || l.Done < 0 || l.Done > l.Shards {
		return fmt.Errorf("%d shards of %d are claimed, %d done", l.Next, l.Shards, l.Done)
	}
	return nil
}

// CheckRecord reports what cannot be true of a claim.
func (c *Claim) CheckRecord(string) error {
	if c.From < 0 || c.Next < c.From || c.To < c.Next {
		return fmt.Errorf("shards %d to %d, of which %d is next", c.From, c.To, c.Next)
	}
	return nil
}

const (
	blockTime  = time.Minute // what a block is to take
	mostShards = 64          // of a block
)

// block is how many shards are claimed at once.
func (l *Ledger) block() int {
	n := 1
	if l.Done > 0 && l.Seconds > 0 {
		n = int(blockTime.Seconds() * float64(l.Done) / l.Seconds)
	}
	waiting := l.Shards - l.Next
	for _, r := range l.Left {
		waiting += r.To - r.From
	}
	return max(1, min(n, mostShards, waiting/(2*(len(l.Open)+1))))
}

// Complete reports whether all shards are done.
func (l *Ledger) Complete() bool { return l.Done == l.Shards }

// claimable is the index in Left of a range that may be claimed, -1 for none.
func (l *Ledger) claimable() int {
	return slices.IndexFunc(l.Left, func(r Range) bool { return r.Lease.Wait <= 0 })
}

// Waiting reports whether there is anything to claim.
func (l *Ledger) Waiting() bool { return l.claimable() >= 0 || l.Next < l.Shards }

// claim gives a block to the worker that holds h; nil if there is none. Ranges that
// were left go first, so that results are complete from the beginning on as early as
// can be.
func (l *Ledger) claim(now time.Time, h *lease.Holder, worker string) (*Claim, error) {
	if i := slices.IndexFunc(l.Open, func(o Open) bool { return o.Lease.Token == h.Token }); i >= 0 {
		o := l.Open[i] // of a write whose answer was lost
		return &Claim{Number: o.Number, From: o.From, To: o.To, Next: o.From, Lease: o.Lease}, nil
	}
	r, n := Range{From: l.Next, To: l.Shards}, l.block()
	i := l.claimable()
	switch {
	case i >= 0:
		r = l.Left[i]
	case l.Next >= l.Shards:
		return nil, nil
	}
	r.To = min(r.To, r.From+n)
	switch {
	case i < 0:
		l.Next = r.To
	case r.To < l.Left[i].To:
		l.Left[i].From = r.To
	default:
		l.Left = slices.Delete(l.Left, i, i+1)
	}
	if err := h.Claim(&r.Lease, now, worker); err != nil {
		return nil, err
	}
	c := &Claim{Number: l.Claims, From: r.From, To: r.To, Next: r.From, Lease: r.Lease}
	l.Open = append(l.Open, Open{Number: l.Claims, Range: r})
	l.Claims++
	return c, nil
}

// find is the index of a claim in force; -1 if it has ended.
func (l *Ledger) find(number int) int {
	return slices.IndexFunc(l.Open, func(o Open) bool { return o.Number == number })
}

// end ends a claim as it stands: what is done counts, and what is not is left to be
// claimed again, under the claim's lease, which is free.
func (l *Ledger) end(c *Claim) {
	i := l.find(c.Number)
	if i < 0 {
		return
	}
	l.Open = slices.Delete(l.Open, i, i+1)
	l.Done += c.Next - c.From
	l.Tally.add(c.Tally)
	if c.Rows > 0 {
		if l.Workers == nil {
			l.Workers = map[string]int64{}
		}
		l.Workers[c.Lease.Worker] += c.Rows
	}
	if c.Next < c.To {
		r := Range{From: c.Next, To: c.To, Lease: c.Lease}
		at, _ := slices.BinarySearchFunc(l.Left, r, func(a, b Range) int { return a.From - b.From })
		l.Left = slices.Insert(l.Left, at, r)
	}
}

// Ready is how many shards are done from the first on without a gap.
func (l *Ledger) Ready(claims []*Claim) int {
	n := l.Next
	for _, r := range l.Left {
		n = min(n, r.From)
	}
	for _, o := range l.Open {
		next := o.From
		for _, c := range claims {
			if c.Number == o.Number {
				next = max(next, c.Next)
			}
		}
		if next < o.To {
			n = min(n, next)
		}
	}
	return n
}
