package predict

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
)

// Fetched is the files of a revision that predict, on this machine.
type Fetched struct {
	Repo, Commit string
	Dir          fs.FS
	Paths        []string // of the files, sorted
	Config       revision.Config
	Level        string // of the intervals, in percent, as columns are named by it
}

// Fetch downloads what predicts of a revision and reads all of it, so that whoever
// loads it elsewhere finds nothing amiss. The error is of code NotFound, Unavailable
// or Invalid.
func Fetch(ctx context.Context, h *hub.Client, ref jobs.Revision) (*Fetched, error) {
	var entries []hub.Entry
	at, err := h.Snapshot(ctx, ref.Repo, ref.Revision, func(e hub.Entry) bool {
		entries = append(entries, e)
		return false
	}, nil)
	if err != nil {
		return nil, fetchError(ref, err)
	}
	l := layoutOf(entries)
	snap, err := h.Snapshot(ctx, ref.Repo, at.Commit, func(e hub.Entry) bool { return l.want(e.Path) }, nil)
	if err != nil {
		return nil, fetchError(ref, err)
	}
	f := &Fetched{Repo: ref.Repo, Commit: at.Commit, Dir: os.DirFS(snap.Dir)}
	r, err := l.open(f.Dir, ref.Repo+" at "+at.Commit)
	if err != nil {
		return nil, fetchError(ref, err)
	}
	f.Config, f.Level = r.Config, (&Model{calibration: r.Calibration}).percent()
	for _, e := range entries {
		if l.want(e.Path) {
			f.Paths = append(f.Paths, e.Path)
		}
	}
	slices.Sort(f.Paths)
	return f, nil
}

func fetchError(ref jobs.Revision, err error) error {
	switch {
	case missing(err):
		return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no revision %s of %s that can predict: GET /v1/models lists those there are", ref.Revision, ref.Repo), Err: err}
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrGated):
		return &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("the Hub does not let this server read %s: set HF_TOKEN to a token that may", ref.Repo), Err: err}
	case errors.Is(err, hub.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &jobs.Error{Code: jobs.Unavailable, Detail: "the Hub is away: try again", Err: err}
	}
	return &jobs.Error{Code: jobs.Invalid, Detail: fmt.Sprintf("%s at %s cannot be loaded (%v): choose another revision", ref.Repo, ref.Revision, err), Err: err}
}
