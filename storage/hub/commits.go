package hub

import (
	"context"
	"net/http"
	"time"
)

// LogEntry is a commit of a revision's history.
type LogEntry struct {
	Commit  string    `json:"id"`
	Title   string    `json:"title"`   // first line of its message
	Message string    `json:"message"` // the rest of it
	Date    time.Time `json:"date"`
}

// Log lists the last commits of a revision, the newest first: as many as the
// server puts on a page, at least some tens.
func (c *Client) Log(ctx context.Context, repo, revision string) ([]LogEntry, error) {
	if err := CheckRepo(repo); err != nil {
		return nil, err
	}
	var out []LogEntry
	if err := c.call(ctx, http.MethodGet, c.model(repo, "commits", revision), nil, &out, false); err != nil {
		return nil, err
	}
	return out, nil
}
