package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
)

// Candidates is the branch for revisions that do not move the branch that their
// job names.
const Candidates = "candidates"

// branch is where the revision goes: to the branch that the job names or, with
// the reason, to Candidates.
func (a *attempt) branch(ctx context.Context, f *files, d jobs.Destination, refs *hub.Refs) (branch, reason string, err error) {
	switch d.Promote {
	case jobs.PromoteAlways:
		return d.Branch, "", nil
	case jobs.PromoteNever:
		return Candidates, "the job asks for publish.promote \"never\"", nil
	}
	head := commitOf(refs.Branches, d.Branch)
	if head == "" {
		return d.Branch, "", nil
	}
	there, err := a.published(ctx, d.Repo, head)
	if err != nil {
		return "", "", err
	}
	// There is nothing to compare with, or an earlier attempt has promoted it.
	if there == nil || there.config.Job == a.job.ID {
		return d.Branch, "", nil
	}
	moves, reason := revision.NotWorse(f.config, f.metrics, there.config, there.metrics)
	if d.Promote == jobs.PromoteIfBetter {
		moves, _, reason = f.metrics.Better(there.metrics)
	}
	a.log.Info("compared with what is published", "repo", d.Repo, "branch", d.Branch, "moves", moves, "reason", reason)
	if !moves {
		return Candidates, fmt.Sprintf("%s stays where it is: %s", d.Branch, reason), nil
	}
	return d.Branch, "", nil
}

// published is what a revision says of itself.
type published struct {
	config  revision.Config
	metrics revision.Metrics
}

// published reads what a commit holds; nil if that is no revision. A branch's
// name would not do: where the Hub is slow, what it held before is read.
func (a *attempt) published(ctx context.Context, repo, commit string) (*published, error) {
	out := &published{}
	for path, into := range map[string]any{revision.MetricsPath: &out.metrics, revision.ConfigPath: &out.config} {
		name, err := a.Hub.Download(ctx, repo, commit, path, nil)
		if errors.Is(err, hub.ErrEntryNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading what %s holds: %w", commit, err)
		}
		if json.Unmarshal(body, into) != nil {
			return nil, nil // of another program
		}
	}
	return out, nil
}
