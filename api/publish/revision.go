package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage"
	"polyid-trainer/storage/hub"
)

// maxDocument bounds config.json and metrics.json, in bytes.
const maxDocument = 64 << 20

// files are the files of a finalized job, without the card.
type files struct {
	config  revision.Config
	metrics revision.Metrics
	list    []hub.File
}

// read finds the files of a job's revision in object storage.
func (a *attempt) read(ctx context.Context) (*files, error) {
	prefix := keys.ModelPrefix(a.job.ID)
	f := &files{}
	for e, err := range a.Bucket.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("reading the revision: %w", err)
		}
		key := e.Key
		f.list = append(f.list, hub.File{Path: strings.TrimPrefix(key, prefix), Size: e.Size, Open: func() (io.ReadCloser, error) {
			return a.Bucket.Get(ctx, key)
		}})
	}
	for path, into := range map[string]any{revision.ConfigPath: &f.config, revision.MetricsPath: &f.metrics} {
		o, err := a.Bucket.Get(ctx, prefix+path)
		if errors.Is(err, storage.ErrNotExist) {
			return nil, refuse("no_revision", "the job has no %s to publish: its files are gone", path)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the revision: %w", err)
		}
		body, err := io.ReadAll(io.LimitReader(o, maxDocument))
		if err = errors.Join(err, o.Close()); err == nil {
			err = json.Unmarshal(body, into)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the revision's %s: %w", path, err)
		}
	}
	return f, nil
}

// has reports whether there is a file of that path.
func (f *files) has(path string) bool {
	for _, x := range f.list {
		if x.Path == path {
			return true
		}
	}
	return false
}

// plots are the images for the card.
func (f *files) plots() (paths []string) {
	for _, x := range f.list {
		if strings.HasPrefix(x.Path, revision.PlotsDir+"/") {
			paths = append(paths, x.Path)
		}
	}
	return paths
}

// commit is the revision as one commit on a branch whose head holds the tree:
// what is left there of another revision goes.
func (a *attempt) commit(f *files, d jobs.Destination, head string, tree []hub.Entry) (hub.Commit, error) {
	endpoint := a.Hub.Endpoint()
	if endpoint == hub.DefaultEndpoint {
		endpoint = ""
	}
	card, err := revision.Card(f.config, f.metrics, revision.Place{
		Repo: d.Repo, Tag: d.Tag, Branch: d.Branch, Endpoint: endpoint, Server: a.Server,
		Python: f.has("parameters.pk"), Plots: f.plots(),
	})
	if err != nil {
		return hub.Commit{}, err
	}
	c := hub.Commit{Summary: summary(f), Description: a.stamp(d.Tag), Parent: head,
		Add: append(f.list[:len(f.list):len(f.list)], hub.Bytes(revision.CardPath, card))}
	added := map[string]bool{}
	for _, x := range c.Add {
		added[x.Path] = true
	}
	for _, e := range tree {
		if revision.Owns(e.Path) && !added[e.Path] {
			c.Delete = append(c.Delete, e.Path)
		}
	}
	return c, nil
}

// summary is the first line of a publication's commit message, with the job's
// numbers.
func summary(f *files) string {
	epochs := 0
	for _, fold := range f.metrics.Folds {
		epochs = max(epochs, fold.Epochs)
	}
	if f.config.Imported != "" {
		return fmt.Sprintf("Imported models (%d folds)", f.config.Folds)
	}
	return fmt.Sprintf("Trained models (%d epochs, %d folds)", epochs, f.config.Folds)
}

// stamp is the rest of the message, by which a later attempt knows the commit
// for its own: whose it is, which of its owner's publications, and the version.
func (a *attempt) stamp(tag string) string {
	s := fmt.Sprintf("%sPublication: %d", a.owner, a.nth)
	if tag != "" {
		s += "\nVersion: " + tag
	}
	return s
}

// owns makes the attempt one of a job's publications.
func (a *attempt) owns(j *jobs.Job) {
	a.owner, a.nth = "Training-Job: "+j.ID+"\n", 1
	for _, e := range j.Events {
		if e.Type == jobs.EventPublished {
			a.nth++
		}
	}
}
