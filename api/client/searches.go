package client

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"

	"polyid-trainer/jobs/searches"
)

const searchesPath = "/v1/searches"

// Search asks for a search, given the request's JSON. Asked again because an answer
// was lost, the server makes no second one.
func (c *Client) Search(ctx context.Context, spec []byte) (*searches.View, error) {
	var v searches.View
	err := c.do(ctx, request{
		method: http.MethodPost, path: searchesPath, body: spec, contentType: "application/json",
		header: http.Header{"Idempotency-Key": {rand.Text()}},
	}, &v)
	return &v, err
}

// SearchAt is how a search stands, with its trials.
type SearchAt struct {
	*searches.View
	Trials []searches.TrialView
}

// FindSearch reads a search and its trials.
func (c *Client) FindSearch(ctx context.Context, id string) (SearchAt, error) {
	at := SearchAt{View: new(searches.View)}
	path := searchesPath + "/" + url.PathEscape(id)
	if err := c.do(ctx, request{method: http.MethodGet, path: path}, at.View); err != nil {
		return at, err
	}
	var list struct {
		Data []searches.TrialView `json:"data"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: path + "/trials"}, &list)
	at.Trials = list.Data
	return at, err
}

// FollowSearch is Follow for a search.
func (c *Client) FollowSearch(ctx context.Context, id string, seen func(SearchAt) bool, broken func(error)) error {
	return c.follow(ctx, searchesPath+"/"+url.PathEscape(id), broken, func(ctx context.Context) (bool, error) {
		at, err := c.FindSearch(ctx, id)
		return err != nil || seen(at), err
	})
}
