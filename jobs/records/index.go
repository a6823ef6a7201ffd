package records

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

const (
	perPage = 20

	// entryGrace is the age at which no writer can still be between an entry and
	// the record it announces.
	entryGrace = time.Hour
)

func endedKey(s jobs.State, id string) string { return keys.EndedJobs + string(s) + "/" + inverted(id) }

// index writes the entries that a job's move from state was calls for.
func (s *Store) index(ctx context.Context, was jobs.State, j *jobs.Job) error {
	switch {
	case j.State == was:
		return nil
	case j.State.Ended():
		return s.mark(ctx, endedKey(j.State, j.ID))
	case was.Ended():
		return s.mark(ctx, keys.ActiveJobs+j.ID)
	}
	return nil
}

// Jobs implements jobs.Store. Jobs with damaged records are counted among all
// jobs and, where states are asked for, among the active ones and those that the
// index has in these states. It costs one read per job listed, whatever the
// states asked for, and one listing of the names of all jobs in them.
func (s *Store) Jobs(ctx context.Context, f jobs.Filter) (page jobs.Page, err error) {
	limit := f.Limit
	if limit <= 0 {
		limit = perPage
	}
	last := "" // the job counted or listed last
	for e, err := range s.candidates(ctx, f.States) {
		if err != nil {
			return jobs.Page{}, fmt.Errorf("list jobs: %w", err)
		}
		if f.After != "" && inverted(e.id) <= inverted(f.After) {
			continue
		}
		if e.id == last {
			continue // it has an entry of its last state too
		}
		j, err := s.Job(ctx, e.id)
		switch jobs.ErrorCode(err) {
		case jobs.NotFound: // deleted, or never quite created
			continue
		case jobs.Damaged:
			last = e.id
			if access.Visible(ctx, access.Owned{}) { // nobody can tell whose it is
				page.Damaged++
			}
			continue
		}
		if err != nil {
			return jobs.Page{}, fmt.Errorf("list jobs: %w", err)
		}
		if e.state != "" && e.state != j.State {
			if err := s.forget(ctx, e.Entry); err != nil {
				return jobs.Page{}, fmt.Errorf("list jobs: %w", err)
			}
			continue
		}
		if len(f.States) > 0 && !slices.Contains(f.States, j.State) || j.Trial != nil && !f.Trials {
			continue
		}
		if len(page.Jobs) == limit {
			page.More = true
			return page, nil
		}
		last = e.id
		page.Jobs = append(page.Jobs, j)
	}
	return page, nil
}

// candidate is an entry that names a job, perhaps one in the given state.
type candidate struct {
	storage.Entry
	id    string
	state jobs.State // "" unless the entry says
}

// candidates yields the names of jobs that may be in one of states, newest
// first; no states are all.
func (s *Store) candidates(ctx context.Context, states []jobs.State) iter.Seq2[candidate, error] {
	if len(states) == 0 {
		return s.listed(ctx, keys.JobsByAge, "")
	}
	var lists []iter.Seq2[candidate, error]
	if slices.ContainsFunc(states, func(st jobs.State) bool { return !st.Ended() }) {
		lists = append(lists, s.newestActive(ctx))
	}
	for i, st := range states {
		if st.Ended() && !slices.Contains(states[:i], st) {
			lists = append(lists, s.listed(ctx, keys.EndedJobs+string(st)+"/", st))
		}
	}
	return merge(lists)
}

// listed yields the entries under a prefix that ends in inverted ids.
func (s *Store) listed(ctx context.Context, prefix string, st jobs.State) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		for e, err := range s.bucket.List(ctx, prefix) {
			if !yield(candidate{e, inverted(strings.TrimPrefix(e.Key, prefix)), st}, err) || err != nil {
				return
			}
		}
	}
}

// newestActive yields the active jobs. Their marks come oldest first, and there
// are never many.
func (s *Store) newestActive(ctx context.Context) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		var all []candidate
		for e, err := range s.bucket.List(ctx, keys.ActiveJobs) {
			if err != nil {
				yield(candidate{}, err)
				return
			}
			all = append(all, candidate{Entry: e, id: strings.TrimPrefix(e.Key, keys.ActiveJobs)})
		}
		for _, c := range slices.Backward(all) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// merge yields what lists yield, newest first, as each of them does. A job in two
// of them comes twice in a row.
func merge(lists []iter.Seq2[candidate, error]) iter.Seq2[candidate, error] {
	type head struct {
		next func() (candidate, error, bool)
		candidate
		err error
		ok  bool
	}
	return func(yield func(candidate, error) bool) {
		heads := make([]*head, len(lists))
		for i, l := range lists {
			next, stop := iter.Pull2(l)
			defer stop()
			h := &head{next: next}
			h.candidate, h.err, h.ok = next()
			heads[i] = h
		}
		for {
			var first *head
			for _, h := range heads {
				if h.err != nil {
					yield(candidate{}, h.err)
					return
				}
				if h.ok && (first == nil || inverted(h.id) < inverted(first.id)) {
					first = h
				}
			}
			if first == nil || !yield(first.candidate, nil) {
				return
			}
			first.candidate, first.err, first.ok = first.next()
		}
	}
}

// forget removes an entry that does not fit its record, if it is not about to.
func (s *Store) forget(ctx context.Context, e storage.Entry) error {
	if time.Since(e.Modified) < entryGrace {
		return nil
	}
	return s.bucket.Delete(ctx, e.Key)
}

// mark writes an empty object.
func (s *Store) mark(ctx context.Context, key string) error {
	_, err := s.bucket.Put(ctx, key, strings.NewReader(""), 0, storage.Condition{})
	return err
}

// inverted mirrors the letters and digits of an id's time and chance, so that
// newer ids sort first. It is its own inverse.
func inverted(id string) string {
	const order = "0123456789abcdefghijklmnopqrstuvwxyz"
	prefix, rest, found := strings.Cut(id, "_")
	if !found {
		return id
	}
	return prefix + "_" + strings.Map(func(r rune) rune {
		if i := strings.IndexRune(order, r); i >= 0 {
			return rune(order[len(order)-1-i])
		}
		return r
	}, rest)
}

// CountEnded counts the jobs in each state that ends one. It lists names and
// reads only the jobs whose names are in more than one place.
func (s *Store) CountEnded(ctx context.Context) (map[jobs.State]int, error) {
	state := map[string]jobs.State{}
	unsure := map[string]bool{}
	count := map[jobs.State]int{}
	for _, st := range []jobs.State{jobs.Succeeded, jobs.Failed, jobs.Cancelled} {
		count[st] = 0
		for c, err := range s.listed(ctx, keys.EndedJobs+string(st)+"/", st) {
			if err != nil {
				return nil, fmt.Errorf("count jobs: %w", err)
			}
			if _, twice := state[c.id]; twice {
				unsure[c.id] = true
			}
			state[c.id] = st
		}
	}
	for c, err := range s.newestActive(ctx) {
		if err != nil {
			return nil, fmt.Errorf("count jobs: %w", err)
		}
		if _, twice := state[c.id]; twice {
			unsure[c.id] = true
		}
	}
	for id, st := range state {
		if unsure[id] {
			j, err := s.Job(ctx, id)
			code := jobs.ErrorCode(err)
			if code == jobs.NotFound || code == jobs.Damaged || err == nil && !j.State.Ended() {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("count jobs: %w", err)
			}
			st = j.State
		}
		count[st]++
	}
	return count, nil
}
