package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"polyid-trainer/jobs"
	"polyid-trainer/storage/hub"
)

// Promotion is what a branch or tag names now.
type Promotion struct {
	Object string `json:"object" enum:"promotion"`
	Repo   string `json:"repo"`
	To     string `json:"to"`
	Type   string `json:"type" enum:"branch,tag"`
	Commit string `json:"commit"`
}

var errTagTaken = errors.New("the tag names another revision")

// Promote moves a branch to a revision, or sets a tag. An empty repo is the
// default's. A branch gets one commit more, with the revision's files. A tag that
// names another revision stays, which is jobs.Conflict.
func (r *Registry) Promote(ctx context.Context, repo, rev, to string) (*Promotion, error) {
	repo = cmp.Or(repo, r.Default.Repo)
	p, err := r.promote(ctx, repo, rev, to)
	if err != nil {
		return nil, explain(err, repo, rev, to)
	}
	r.Serving.Moved()
	return p, nil
}

func (r *Registry) promote(ctx context.Context, repo, rev, to string) (*Promotion, error) {
	if repo != r.Default.Repo && (r.Allow == nil || !r.Allow(repo)) {
		return nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("%s may not be changed from here: HUB_ALLOW does not name it", repo)}
	}
	for _, may := range []func(context.Context, string) error{r.MayRead, r.MayWrite} {
		if may != nil {
			if err := may(ctx, repo); err != nil {
				return nil, err
			}
		}
	}
	refs, err := r.Hub.Refs(ctx, repo)
	if err != nil {
		return nil, err
	}
	for _, b := range refs.Branches {
		if b.Name == to {
			commit, err := r.Hub.Promote(ctx, repo, rev, to)
			return &Promotion{"promotion", repo, to, "branch", commit}, err
		}
	}
	from, err := r.Hub.Model(ctx, repo, rev)
	if err != nil {
		return nil, err
	}
	for _, t := range refs.Tags {
		if t.Name == to && t.Commit != from.Commit {
			return nil, errTagTaken
		}
		if t.Name == to {
			return &Promotion{"promotion", repo, to, "tag", from.Commit}, nil
		}
	}
	err = r.Hub.CreateTag(ctx, repo, from.Commit, to, "")
	return &Promotion{"promotion", repo, to, "tag", from.Commit}, err
}

// explain makes an error for the one who asked for a promotion.
func explain(err error, repo, rev, to string) error {
	e := &jobs.Error{Err: err}
	switch {
	case errors.Is(err, errTagTaken), errors.Is(err, hub.ErrExists):
		e.Code, e.Detail = jobs.Conflict, fmt.Sprintf("the tag %s of %s names another revision: choose another name", to, repo)
	case errors.Is(err, hub.ErrConflict):
		e.Code, e.Detail = jobs.Conflict, fmt.Sprintf("%s of %s moved meanwhile: look at it and try again", to, repo)
	case errors.Is(err, hub.ErrRepoNotFound):
		e.Code, e.Detail = jobs.NotFound, fmt.Sprintf("there is no repository %s", repo)
	case errors.Is(err, hub.ErrRevisionNotFound):
		e.Code, e.Detail = jobs.NotFound, fmt.Sprintf("%s has no revision %s", repo, rev)
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrGated):
		e.Code, e.Detail = jobs.Forbidden, fmt.Sprintf("the Hub does not let this server change %s: set HF_TOKEN to a token that may", repo)
	case errors.Is(err, hub.ErrUnavailable):
		e.Code, e.Detail = jobs.Unavailable, "the Hub is away: try again"
	default:
		return err
	}
	return e
}
