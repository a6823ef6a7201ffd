package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

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
	mine := &published{f.config, f.metrics}
	moves, reason := mine.notWorse(there)
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

// notWorse reports whether p may take the place of another revision: it predicts
// every property that the other does, and is not worse on what both were scored
// on. That is the same hold-out set, or else the out-of-fold scores of the same
// data, divided alike. Where nothing can be compared it may not.
func (p *published) notWorse(there *published) (ok bool, reason string) {
	if lost := p.lacks(there); lost != "" {
		return false, "the new revision does not predict " + lost
	}
	mine, theirs, of := p.metrics.OutOfFold, there.metrics.OutOfFold, "out-of-fold"
	switch {
	case p.metrics.HoldoutID != "" && p.metrics.HoldoutID == there.metrics.HoldoutID:
		mine, theirs, of = p.metrics.Holdout, there.metrics.Holdout, "hold-out"
	case p.config.Data.Hash == "" || p.config.Data.Hash != there.config.Data.Hash:
		return false, "the two were trained on different data and have no hold-out set in common, so they cannot be compared"
	case p.config.Data.GroupBy != there.config.Data.GroupBy:
		return false, fmt.Sprintf("the two group their rows differently (%s and %s), so their out-of-fold errors cannot be compared", p.config.Data.GroupBy, there.config.Data.GroupBy)
	}
	ratio, comparable := revision.Relative(mine, theirs)
	if !comparable {
		return false, "the two have no measured property in common"
	}
	return ratio <= 1, fmt.Sprintf("the %s error of the new revision is %.3g times that of the published one", of, ratio)
}

// lacks lists the properties that another revision predicts and p does not.
func (p *published) lacks(there *published) string {
	have := map[string]bool{}
	for _, t := range p.config.Targets {
		have[t.Name] = true
	}
	var lost []string
	for _, t := range there.config.Targets {
		if !have[t.Name] {
			lost = append(lost, t.Name)
		}
	}
	return strings.Join(lost, ", ")
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
