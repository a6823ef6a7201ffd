package client

import (
	"context"
	"net/http"
	"net/url"
)

// Dataset is what a client needs to know of an uploaded table.
type Dataset struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Rows    int    `json:"rows"`
	Targets []struct {
		Name  string `json:"name"`
		Units string `json:"units"`
		Count int    `json:"count"`
	} `json:"targets"`
	Warnings []struct {
		Detail string `json:"detail"`
	} `json:"warnings"`
}

// Upload stores a table under a name. onDefect is refuse, drop or keep; "" leaves
// it to the server. The same table under the same name is one dataset, so that it
// may be sent again.
func (c *Client) Upload(ctx context.Context, table []byte, name, onDefect string) (*Dataset, error) {
	query := url.Values{"name": {name}}
	if onDefect != "" {
		query.Set("on_defect", onDefect)
	}
	var d Dataset
	err := c.do(ctx, request{method: http.MethodPost, path: "/v1/datasets", query: query, body: table, contentType: "application/octet-stream"}, &d)
	return &d, err
}
