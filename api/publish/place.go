package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"polyid-trainer/jobs"
	"polyid-trainer/storage/hub"
)

// rounds is how often a publication looks anew after somebody else's commit came
// before its own.
const rounds = 5

// destination fills what a job's destination leaves open.
func (p *Publisher) destination(d *jobs.Destination) jobs.Destination {
	var out jobs.Destination
	if d != nil {
		out = *d
	}
	if out.Repo == "" {
		out.Repo = p.Repo
	}
	if out.Branch == "" {
		out.Branch = "main"
	}
	if out.Promote == "" {
		out.Promote = jobs.PromoteIfNotWorse
	}
	return out
}

func (p *Publisher) allowed(repo string) bool {
	if p.Allow == nil {
		return repo == p.Repo
	}
	return p.Allow(repo)
}

// publish makes the commit and its tag, or finds them made.
func (a *attempt) publish(ctx context.Context) (*jobs.Publication, error) {
	d := a.destination(a.job.Spec.Publish)
	if !a.allowed(d.Repo) {
		return nil, refuse("repo_forbidden", "jobs may not publish to %s: HUB_ALLOW does not name it", d.Repo)
	}
	f, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	return a.deliver(ctx, f, d)
}

// deliver makes the commit of files and its tag, or finds them made.
func (a *attempt) deliver(ctx context.Context, f *files, d jobs.Destination) (done *jobs.Publication, err error) {
	err = a.locked(ctx, d.Repo, func(ctx context.Context) error {
		private := !a.Public
		if d.Private != nil {
			private = *d.Private
		}
		if err := a.ensure(ctx, d.Repo, private); err != nil {
			return err
		}
		for round := 1; ; round++ {
			done, err = a.place(ctx, f, d)
			if !errors.Is(err, hub.ErrConflict) || round == rounds {
				return err
			}
			a.log.Info("somebody else's commit came first, looking again", "repo", d.Repo)
		}
	})
	return done, err
}

// ensure creates the repository if there is none. It looks first, because a
// token may be allowed to commit and not to create.
func (a *attempt) ensure(ctx context.Context, repo string, private bool) error {
	if a.Claim != nil {
		owner := ""
		if a.job != nil {
			owner = a.job.Owner
		}
		err := a.Claim(ctx, owner, repo, private)
		if jobs.ErrorCode(err) == jobs.Forbidden {
			return refuse("repo_forbidden", "%s", err)
		}
		if err != nil {
			return err
		}
	}
	_, err := a.Hub.Refs(ctx, repo)
	if errors.Is(err, hub.ErrRepoNotFound) {
		return a.Hub.EnsureRepo(ctx, repo, private)
	}
	return err
}

// place looks at the repository as it is now, and does what is still to be done.
func (a *attempt) place(ctx context.Context, f *files, d jobs.Destination) (*jobs.Publication, error) {
	refs, err := a.Hub.Refs(ctx, d.Repo)
	if err != nil {
		return nil, err
	}
	branch, reason, err := a.branch(ctx, f, d, refs)
	if err != nil {
		return nil, err
	}
	out := &jobs.Publication{Repo: d.Repo, Branch: branch, Tag: d.Tag, Reason: reason, Time: a.now().UTC()}
	history, err := a.history(ctx, d.Repo, branch, refs)
	if err != nil {
		return nil, err
	}
	tagged := commitOf(refs.Tags, d.Tag)
	if out.Commit, err = a.made(history, d.Tag, tagged); err != nil {
		return nil, err
	}
	if out.Commit == "" {
		if out.Commit, err = a.add(ctx, f, d, branch, commitOf(refs.Branches, branch)); err != nil {
			return nil, err
		}
	}
	if d.Tag != "" && tagged == "" {
		err := a.Hub.CreateTag(ctx, d.Repo, out.Commit, d.Tag, summary(f))
		if errors.Is(err, hub.ErrExists) { // somebody else's, this moment: place tells whose
			return nil, refuse("tag_exists", "%s was given a tag %s while this was published: the revision is %s on %s, without a tag", d.Repo, d.Tag, out.Commit, branch)
		}
		if err != nil {
			return nil, err
		}
	}
	out.URL = a.Hub.URL(d.Repo, cmp.Or(d.Tag, out.Commit))
	return out, nil
}

// history is the last commits of a branch, none if there is no such branch.
func (a *attempt) history(ctx context.Context, repo, branch string, refs *hub.Refs) ([]hub.LogEntry, error) {
	if commitOf(refs.Branches, branch) == "" {
		return nil, nil
	}
	return a.Hub.Log(ctx, repo, branch)
}

// made finds the commit in a branch's history that an earlier attempt of this
// publication has made, or that an earlier publication of this training has
// given the tag; "" if there is none. A tag of anything else is a refusal.
func (a *attempt) made(history []hub.LogEntry, tag, tagged string) (string, error) {
	for _, c := range history {
		message := strings.TrimSpace(c.Message)
		if tagged == "" && message == a.stamp(tag) || c.Commit == tagged && strings.HasPrefix(message, a.owner) {
			return c.Commit, nil
		}
	}
	if tagged != "" {
		return "", refuse("tag_exists", "there is a tag %s already, of another revision (%.12s): choose another tag", tag, tagged)
	}
	return "", nil
}

// add commits the revision to a branch at head, which is made if head is empty.
func (a *attempt) add(ctx context.Context, f *files, d jobs.Destination, branch, head string) (string, error) {
	if head == "" {
		if err := a.Hub.CreateBranch(ctx, d.Repo, branch, ""); err != nil && !errors.Is(err, hub.ErrExists) {
			return "", err
		}
		m, err := a.Hub.Model(ctx, d.Repo, branch)
		if err != nil {
			return "", err
		}
		head = m.Commit
	}
	tree, err := a.Hub.Tree(ctx, d.Repo, head)
	if err != nil {
		return "", err
	}
	c, err := a.commit(f, d, head, tree)
	if err != nil {
		return "", err
	}
	if err := a.committing(ctx, true); err != nil {
		return "", err
	}
	commit, err := a.Hub.Commit(ctx, d.Repo, branch, c)
	if errors.Is(err, hub.ErrConflict) { // certainly not made
		return "", errors.Join(err, a.committing(ctx, false))
	}
	return commit, err
}

// committing notes that the commit is under way, and so too late to cancel, or
// that it was not made.
func (a *attempt) committing(ctx context.Context, is bool) error {
	if a.job == nil {
		return nil
	}
	_, err := a.update(ctx, func(j *jobs.Job) error {
		j.Committing = is
		return nil
	})
	return err
}

// checkNames says which names of a destination no Hub takes.
func checkNames(to jobs.Destination, at string) (ps []jobs.Problem) {
	checks := map[string]error{"/repo": hub.CheckRepo(to.Repo), "/branch": hub.CheckBranch(to.Branch)}
	if to.Tag != "" {
		checks["/tag"] = hub.CheckTag(to.Tag)
	}
	for _, field := range slices.Sorted(maps.Keys(checks)) {
		if name := new(hub.NameError); errors.As(checks[field], &name) {
			ps = append(ps, jobs.Problem{Pointer: at + field, Detail: fmt.Sprintf("%s %q: %s", name.Kind, name.Value, name.Detail)})
		}
	}
	return ps
}

// Check reports, before a job is accepted, what would make its publication fail:
// with an error of code Forbidden or Unavailable, or with problems of the
// destination, at pointers below at.
func (p *Publisher) Check(ctx context.Context, d *jobs.Destination, at string) ([]jobs.Problem, error) {
	if d == nil {
		return nil, nil
	}
	to := p.destination(d)
	if ps := checkNames(to, at); len(ps) > 0 {
		return ps, nil
	}
	if !p.allowed(to.Repo) {
		return nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("jobs may not publish to %s: HUB_ALLOW does not name it", to.Repo)}
	}
	if p.May != nil {
		if err := p.May(ctx, to.Repo); err != nil {
			return nil, err
		}
	}
	if _, err := p.Hub.User(ctx); err != nil {
		return nil, p.inaccessible(err)
	}
	refs, err := p.Hub.Refs(ctx, to.Repo)
	switch {
	case errors.Is(err, hub.ErrRepoNotFound):
		return nil, nil // it will be created
	case err != nil:
		return nil, p.inaccessible(err)
	}
	if to.Tag != "" && commitOf(refs.Tags, to.Tag) != "" {
		return []jobs.Problem{{Pointer: at + "/tag", Detail: fmt.Sprintf("%s has a tag %s already: choose another one", to.Repo, to.Tag)}}, nil
	}
	return nil, nil
}

// inaccessible is why the Hub cannot be published to.
func (p *Publisher) inaccessible(err error) error {
	switch {
	case errors.Is(err, hub.ErrUnauthorized):
		return &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("the Hub at %s does not accept this service's token: set HF_TOKEN, or ask for \"publish\": null", p.Hub.Endpoint()), Err: err}
	case errors.Is(err, hub.ErrGated):
		return &jobs.Error{Code: jobs.Forbidden, Detail: "the repository is gated, and this service has no access to it", Err: err}
	}
	return &jobs.Error{Code: jobs.Unavailable, Detail: fmt.Sprintf("the Hub at %s is away, so whether the result could be published is not known: try again, or ask for \"publish\": null", p.Hub.Endpoint()), Err: err}
}

// commitOf is the commit of the reference of that name; "" if there is none.
func commitOf(refs []hub.Ref, name string) string {
	i := slices.IndexFunc(refs, func(r hub.Ref) bool { return r.Name == name })
	if name == "" || i < 0 {
		return ""
	}
	return refs[i].Commit
}
