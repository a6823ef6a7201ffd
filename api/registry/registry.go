// Package registry is what the service knows of published models: which revisions
// can predict, what they say of themselves, and which one a branch or tag names.
package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
	"polyid-trainer/worker/predict"
)

// Registry lists revisions and moves names. Its fields are set before use and
// not changed; it may be used concurrently.
type Registry struct {
	Serving Serving
	Hub     Hub
	HubURL  string                 // where the Hub's pages are; "" is the public one
	Default jobs.Revision          // predicts unless a request says otherwise
	Allow   func(repo string) bool // which repositories may be changed; nil allows the default's alone
	// MayRead and MayWrite report why who asks in ctx may not see or change a
	// repository; nil lets everyone.
	MayRead, MayWrite func(ctx context.Context, repo string) error
	Log               *slog.Logger // nil discards

	about sync.Map // what revisions say of themselves, by repository and commit
}

// Serving is which models are loaded to predict with.
type Serving interface {
	Status() []predict.Status
	// Moved says that a revision was published or a name moved.
	Moved()
}

// Hub is what the registry asks of the Hub; *hub.Client implements it.
type Hub interface {
	Refs(ctx context.Context, repo string) (*hub.Refs, error)
	Log(ctx context.Context, repo, revision string) ([]hub.LogEntry, error)
	Download(ctx context.Context, repo, revision, path string, progress hub.Progress) (string, error)
	CreateTag(ctx context.Context, repo, revision, tag, message string) error
	Model(ctx context.Context, repo, revision string) (*hub.Model, error)
	Promote(ctx context.Context, repo, revision, branch string) (string, error)
}

var _ Hub = (*hub.Client)(nil)

// ModelRevision is a revision that can predict.
type ModelRevision struct {
	Object    string              `json:"object" enum:"model"`
	Repo      string              `json:"repo"`
	Revision  string              `json:"revision"`
	Type      string              `json:"type" enum:"branch,tag,commit"`
	Commit    string              `json:"commit"`
	Default   bool                `json:"default" doc:"Predicts unless a request says otherwise."`
	Loaded    bool                `json:"loaded"`
	LoadedAt  *time.Time          `json:"loaded_at"`
	Stale     bool                `json:"stale" doc:"From the cache: the Hub was away when it was last asked."`
	Error     *string             `json:"error" doc:"Why it could not be loaded when last tried."`
	Targets   []checkpoint.Target `json:"targets" nullable:"false"`
	Metrics   json.RawMessage     `json:"metrics" doc:"metrics.json of the revision; null if it has none."`
	CreatedAt *time.Time          `json:"created_at" doc:"When its last fold was done."`
}

// Card is the address of the Hub's page about a revision.
func (r *Registry) Card(m ModelRevision) string {
	page := cmp.Or(r.HubURL, hub.DefaultEndpoint) + "/" + m.Repo
	if m.Revision != "main" {
		page += "/blob/" + url.PathEscape(m.Revision) + "/README.md"
	}
	return page
}

func (r *Registry) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// aboutModel is what a revision says of itself.
type aboutModel struct {
	config  revision.Config
	metrics json.RawMessage
}
