package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"polyid-trainer/api/publish"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
)

// preflight asks the Hub, before a job begins, for what would make it fail.
type preflight struct {
	publisher *publish.Publisher
	hub       *hub.Client
	repos     *repositories
}

// Preflight implements httpapi.Hub.
func (p *preflight) Preflight(ctx context.Context, d *jobs.Destination, from *jobs.Revision) (ps []jobs.Problem, err error) {
	if from != nil {
		err := p.repos.Read(ctx, from.Repo)
		if err == nil {
			_, err = p.hub.Model(ctx, from.Repo, from.Revision)
		}
		switch {
		case jobs.ErrorCode(err) == jobs.NotFound: // another's: as what is not there
			ps = append(ps, jobs.Problem{Pointer: "/init_from", Detail: fmt.Sprintf("there is no revision %q of %s", from.Revision, from.Repo)})
		case err == nil:
		case errors.Is(err, hub.ErrUnavailable), ctx.Err() != nil:
			return nil, unavailable(err)
		case errors.Is(err, hub.ErrRepoNotFound), errors.Is(err, hub.ErrRevisionNotFound):
			ps = append(ps, jobs.Problem{Pointer: "/init_from", Detail: fmt.Sprintf("there is no revision %q of %s", from.Revision, from.Repo)})
		default:
			ps = append(ps, jobs.Problem{Pointer: "/init_from", Detail: fmt.Sprintf("%s at %q cannot be read: %v", from.Repo, from.Revision, err)})
		}
	}
	if d == nil {
		return ps, nil
	}
	more, err := p.publisher.Check(ctx, d, "/publish")
	return append(ps, more...), err
}

// weights downloads the models of a revision, for a job to start from.
func (p *preflight) weights(ctx context.Context, from jobs.Revision) (fs.FS, error) {
	models := path.Base(revision.ModelPath(0))
	snap, err := p.hub.Snapshot(ctx, from.Repo, from.Revision, func(e hub.Entry) bool { return path.Base(e.Path) == models }, nil)
	switch {
	case err == nil:
		return os.DirFS(snap.Dir), nil
	case errors.Is(err, hub.ErrUnavailable), ctx.Err() != nil:
		return nil, unavailable(err)
	}
	return nil, fmt.Errorf("download %s at %s: %w", from.Repo, from.Revision, err)
}

func unavailable(err error) error {
	return &jobs.Error{Code: jobs.Unavailable, Detail: "the Hub cannot be reached: try again", Err: err}
}
