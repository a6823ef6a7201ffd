package client

import (
	"context"
	"net/http"
)

// Revision is a published model that the server can predict with.
type Revision struct {
	Repo     string `json:"repo"`
	Revision string `json:"revision"`
	Commit   string `json:"commit"`
}

// Models lists the revisions of the repository that the server predicts with, at
// most a page of them.
func (c *Client) Models(ctx context.Context) ([]Revision, error) {
	var list struct {
		Data []Revision `json:"data"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: "/v1/models"}, &list)
	return list.Data, err
}
