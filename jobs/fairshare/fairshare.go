// Package fairshare decides which piece of waiting work a free slot of a worker
// takes next: a fold of a training job, or a shard of a screening. It knows no
// queue and no clock; package redisjobs keeps what it decides by.
//
// # Between tokens
//
// The token that was served least goes first. Service is worker-seconds, the time
// that a token's work has held slots of workers, divided by the token's weight. It
// is counted over a window of an hour in which the older counts less: half after
// ten minutes ([Served]). Work that has just begun counts as a minute at once
// ([Begun]), so that many slots which become free together are shared as one after
// another would be.
//
// A token that has had nothing to do collects no claim from it: when it comes back
// it is put level with the least served of those at work ([Credit]), a minute
// ahead, so that its first fold starts when the next slot is free, and others do
// not wait while it makes up for its absence.
//
// For n slots, and weights w of W in all tokens with work, a token that has work
// waiting and none running begins within W/w ends of other folds, as long as folds
// are of comparable length; the worker-seconds of an interval that is long compared
// with a fold are in proportion to the weights. simulate_test.go holds both.
//
// # Within a token
//
// Work of a higher priority goes first; priorities mean nothing between tokens.
// After that, what was asked for earlier goes first, but a long job waits by its own
// length for what comes later and is shorter ([Place]): a job of ten minutes that
// was asked for an hour after one of ten hours overtakes it, and one of equal
// length does not. Nothing waits for ever behind short work, because places do not
// move. The trials of a search have places as if the search were one job that
// grows.
package fairshare

import (
	"cmp"
	"math"
	"time"
)

// The terms by which service is counted.
const (
	Window   = time.Hour        // service before it does not count
	HalfLife = 10 * time.Minute // after which service counts half
	Step     = time.Minute      // service is counted by minutes
	MinCost  = time.Minute      // what work counts at least, while it runs
)

// Share is what is known of a token that has work waiting or running.
type Share struct {
	Token   string
	Weight  float64 // its share, relative to others'; 0 counts as 1
	Limit   int     // pieces of work that may run at once; 0 is no limit
	Waiting int     // pieces of work
	Running int     // pieces of work
	Served  float64 // worker-seconds, as Served counts them
	Begun   float64 // seconds that its running work counts beyond that, as Begun counts them
	New     bool    // it had neither waiting nor running work the last time
}

// Limited reports whether the token may not run more than it does.
func (s *Share) Limited() bool { return s.Limit > 0 && s.Running >= s.Limit }

func (s *Share) weight() float64 {
	if s.Weight > 0 {
		return s.Weight
	}
	return 1
}

// level is the token's service per weight.
func (s *Share) level() float64 { return (s.Served + s.Begun) / s.weight() }

// Next is the index of the token whose work goes next, -1 if none may run. Of
// tokens that are level, the one goes first that runs less, and then by name. It
// costs O(tokens).
func Next(shares []Share) int {
	next := -1
	for i := range shares {
		s := &shares[i]
		if s.Waiting == 0 || s.Limited() {
			continue
		}
		if next < 0 || before(s, &shares[next]) {
			next = i
		}
	}
	return next
}

func before(a, b *Share) bool {
	return cmp.Or(
		cmp.Compare(a.level(), b.level()),
		cmp.Compare(float64(a.Running)/a.weight(), float64(b.Running)/b.weight()),
		cmp.Compare(a.Token, b.Token),
	) < 0
}

// Ahead is how many pieces of other tokens' work begin before the one that is the
// place-th (from 0) of token's own, as things stand and if nothing else comes; it
// counts up to most. It costs O(tokens) for each.
func Ahead(shares []Share, token string, place, most int) (others int) {
	left := make([]Share, len(shares))
	for i, s := range shares {
		left[i], left[i].Limit = s, 0 // what runs will have ended by then
	}
	for own := 0; others < most; {
		i := Next(left)
		if i < 0 {
			return others
		}
		s := &left[i]
		s.Waiting--
		s.Running++
		s.Begun += MinCost.Seconds()
		if s.Token != token {
			others++
			continue
		}
		if own++; own > place {
			return others
		}
	}
	return others
}

// Credit is what the new tokens among shares are to be charged for the time in
// which they had nothing to do: seconds by index. It puts each level with the least
// served token that is not new and could run more, and a minute ahead of it.
func Credit(shares []Share) map[int]float64 {
	level, any := math.Inf(1), false
	for i := range shares {
		if s := &shares[i]; !s.New && !s.Limited() {
			level, any = min(level, s.Served/s.weight()), true
		}
	}
	charges := map[int]float64{}
	for i := range shares {
		s := &shares[i]
		if owed := level*s.weight() - MinCost.Seconds() - s.Served; any && s.New && owed > 0 {
			charges[i] = owed
		}
	}
	return charges
}

// Minute numbers the step of the window that a time falls into.
func Minute(t time.Time) int64 { return t.Unix() / int64(Step.Seconds()) }

// Minutes is how many steps, the one under way included, the window has.
const Minutes = int64(Window/Step) + 1

// Served sums up worker-seconds that were served in the minutes of the window,
// [0] being the minute under way: each counts half of what one of ten minutes later
// does.
func Served(byAge []float64) (sum float64) {
	for age, seconds := range byAge {
		sum += seconds * math.Exp2(-float64(age)*Step.Seconds()/HalfLife.Seconds())
	}
	return sum
}

// Begun is what work counts beyond the worker-seconds that are charged for it,
// having run for so long: together they are a minute at least.
func Begun(ran time.Duration) float64 { return max(0, (MinCost - ran).Seconds()) }

// Class is a priority within a token's own share: less goes first.
type Class int

// The classes.
const (
	High   Class = -1
	Normal Class = 0
	Low    Class = 1
)

const (
	classes  = 1e11            // between the places of two classes: above any time in seconds
	longest  = 30 * 24 * 3600  // seconds by which the longest job waits
	sequence = 1.0 / (1 << 10) // between the places of two pieces of one job
)

// Place orders the work of one token, least first: of a class, asked for at a time,
// part of work that takes about so long in all, the n-th piece of it.
func Place(c Class, asked time.Time, takes time.Duration, n int) float64 {
	seconds := float64(asked.UnixMilli()) / 1000
	return float64(c)*classes + seconds + min(max(takes.Seconds(), 0), longest) + float64(n)*sequence
}
