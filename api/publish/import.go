package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/keras"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
)

// Import publishes an ensemble that PolyID itself saved, of a revision of the
// Hub, as a revision of ours: safetensors and JSON beside Python's files, a card,
// one commit and a tag where one is asked for. What PolyID does not keep, the
// residuals and the Morgan hashes of the training set, is absent with the reason.
// Of the destination it reads the repository, branch, tag and visibility. Asked
// again for the same, it finds the commit made.
//
// Errors have codes Forbidden, NotFound, Invalid, Conflict or Unavailable. One
// fold's files are in memory at a time; all are on disk in dir, "" being the
// system's place for temporary files, until it returns.
func (p *Publisher) Import(ctx context.Context, from jobs.Revision, to jobs.Destination, dir string) (*jobs.Publication, error) {
	to = p.destination(&to)
	to.Promote = jobs.PromoteAlways
	if !p.allowed(to.Repo) {
		return nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("nothing may be published to %s: HUB_ALLOW does not name it", to.Repo)}
	}
	if p.May != nil {
		if err := p.May(ctx, to.Repo); err != nil {
			return nil, err
		}
	}
	r, source, err := p.theirs(ctx, from)
	if err != nil {
		return nil, p.importError(from, err)
	}
	scratch, err := os.MkdirTemp(dir, "polyid-import-*")
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer os.RemoveAll(scratch)
	f, err := spell(r, scratch)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	a := &attempt{Publisher: p, owner: "Imported-From: " + source + "\n", nth: 1, log: p.Log.With("imported", source)}
	done, err := a.deliver(ctx, f, to)
	if err != nil {
		return nil, p.importError(jobs.Revision{Repo: to.Repo, Revision: to.Branch}, err)
	}
	a.log.Info("published", "repo", done.Repo, "branch", done.Branch, "commit", done.Commit, "tag", done.Tag)
	if p.Published != nil {
		p.Published(done.Repo)
	}
	return done, nil
}

// errOurs is of a revision that needs no import.
var errOurs = errors.New("it is a revision of this service's own, which POST /v1/models/promote moves as it is")

// theirs reads an ensemble of PolyID's own files from the Hub. source names it.
func (p *Publisher) theirs(ctx context.Context, from jobs.Revision) (r *revision.Revision, source string, err error) {
	ours := false
	snap, err := p.Hub.Snapshot(ctx, from.Repo, from.Revision, func(e hub.Entry) bool {
		ours = ours || e.Path == revision.ConfigPath
		return keras.Wanted(e.Path)
	}, nil)
	if err != nil {
		return nil, "", err
	}
	if ours {
		return nil, "", &jobs.Error{Code: jobs.Invalid, Detail: fmt.Sprintf("%s at %s: %v", from.Repo, from.Revision, errOurs)}
	}
	r, err = revision.Import(os.DirFS(snap.Dir), from.Repo+" at "+snap.Commit)
	if err != nil {
		return nil, "", &jobs.Error{Code: jobs.Invalid, Detail: fmt.Sprintf("%s at %s is no ensemble that PolyID saved, or not one that can be read: %v", from.Repo, from.Revision, err), Err: err}
	}
	return r, from.Repo + "@" + snap.Commit, nil
}

// spell writes a revision's files and Python's below dir.
func spell(r *revision.Revision, dir string) (*files, error) {
	f := &files{}
	put := func(path string, body []byte) error {
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, body, 0o600); err != nil {
			return err
		}
		file, err := hub.LocalFile(path, name)
		f.list = append(f.list, file)
		return err
	}
	err := r.Write(put, func(put revision.Put) error { return keras.Write(r.Models, keras.Options{}, put) })
	f.config, f.metrics = r.Config, r.Metrics
	return f, err
}

// importError makes an error for the one who asked for an import; at is what was
// read or written.
func (p *Publisher) importError(at jobs.Revision, err error) error {
	e := &jobs.Error{Err: err}
	var r *refusal
	switch {
	case jobs.ErrorCode(err) != "":
		return err
	case errors.As(err, &r):
		e.Code, e.Detail = jobs.Conflict, r.Detail
	case errors.Is(err, hub.ErrConflict):
		e.Code, e.Detail = jobs.Conflict, fmt.Sprintf("others kept committing to %s of %s: try again", at.Revision, at.Repo)
	case errors.Is(err, hub.ErrRepoNotFound), errors.Is(err, hub.ErrRevisionNotFound), errors.Is(err, fs.ErrNotExist):
		e.Code, e.Detail = jobs.NotFound, fmt.Sprintf("there is no revision %s of %s", at.Revision, at.Repo)
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrGated):
		return p.inaccessible(err)
	case errors.Is(err, hub.ErrUnavailable):
		e.Code, e.Detail = jobs.Unavailable, fmt.Sprintf("the Hub at %s is away: try again", p.Hub.Endpoint())
	default:
		return fmt.Errorf("import of %s at %s: %w", at.Repo, at.Revision, err)
	}
	return e
}
