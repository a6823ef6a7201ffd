package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/tokens"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

// repositories says what each token may do to the repositories of the embedded Hub.
// Another Hub has owners of its own and knows one token, that of this service: there
// HUB_ALLOW alone decides.
type repositories struct {
	server *hubserver.Server // nil for another Hub
	tokens *tokens.Keyring
	repo   string // HUB_REPO
}

// callerOf is an identity as the Hub knows it.
func callerOf(id access.Identity) hubserver.Caller {
	return hubserver.Caller{Name: id.Name, All: id.Admin(), Write: id.May(access.Create)}
}

// find is the holder of a secret, for the Hub.
func (r *repositories) find(secret string) (hubserver.Caller, bool) {
	h, ok := r.tokens.Find(secret)
	return callerOf(h.Identity), ok
}

// named is the holder of a name, for the Hub.
func (r *repositories) named(name string) (hubserver.Caller, bool) {
	id, ok := r.tokens.Named(name)
	return callerOf(id), ok
}

// asks is who asks in ctx; all is true of those to whom everything is allowed.
func (r *repositories) asks(ctx context.Context) (c hubserver.Caller, all bool) {
	id, ok := access.From(ctx)
	return callerOf(id), !ok || id.Admin() || r.server == nil
}

// Read is jobs.NotFound for a repository that who asks in ctx may not see.
func (r *repositories) Read(ctx context.Context, repo string) error {
	c, all := r.asks(ctx)
	if all {
		return nil
	}
	err := r.server.CheckRead(c, repo)
	if errors.Is(err, fs.ErrNotExist) {
		return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no repository %s", repo)}
	}
	return err
}

// Write is jobs.Forbidden for a repository that who asks in ctx may neither change nor
// make. It says the same of one that may not be seen, and of one that is not there.
func (r *repositories) Write(ctx context.Context, repo string) error {
	c, all := r.asks(ctx)
	if all {
		return nil
	}
	return refusal(r.server.CheckWrite(c, repo), c, repo)
}

func refusal(err error, c hubserver.Caller, repo string) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, hubserver.ErrForbidden) {
		return &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("%q may not publish to %s: choose a repository of your own, such as %s/%s", c.Name, repo, c.Name, path.Base(repo))}
	}
	return err
}

// Claim makes a repository in the name of a job's owner, or checks that the owner may
// change the one that is there. What has no owner is the admins'.
func (r *repositories) Claim(ctx context.Context, owner, repo string, private bool) error {
	if r.server == nil || r.tokens.None() {
		return nil
	}
	c, all := r.asks(ctx)
	if _, asked := access.From(ctx); !asked { // a task works on it
		id, known := r.tokens.Named(owner)
		switch {
		case owner == "" || owner == access.Local:
			return nil
		case !known: // revoked meanwhile: what is its own stays so
			id = access.Identity{Name: owner, Role: access.Member}
		}
		c, all = callerOf(id), false
	}
	if all && c.Name == "" {
		return nil
	}
	return refusal(r.server.Claim(c, repo, private), c, repo)
}

// home is where the jobs of who asks in ctx publish that name no repository: HUB_REPO,
// and of a member a repository of that name under their own.
func (r *repositories) home(ctx context.Context) string {
	c, all := r.asks(ctx)
	if own := c.Name + "/" + path.Base(r.repo); !all && hub.CheckRepo(own) == nil {
		return own
	}
	return r.repo
}
