package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"polyid-trainer/jobs"
)

// Model says what to predict with; what is empty is the server's default.
type Model struct{ Repo, Revision string }

// Prediction is where a prediction stands.
type Prediction struct {
	ID     string `json:"id"`
	Status string `json:"status"` // queued, running, succeeded, failed
	Counts struct {
		Total  int `json:"total"`
		OK     int `json:"ok"`
		Failed int `json:"failed"`
	} `json:"counts"`
	Model struct {
		Repo     string `json:"repo"`
		Revision string `json:"revision"`
		Commit   string `json:"commit"`
	} `json:"model"`
	Error *jobs.Failure `json:"error"`
}

// Ended reports whether nothing more will happen to it.
func (p *Prediction) Ended() bool { return p.Status == "succeeded" || p.Status == "failed" }

const pollEvery = 500 * time.Millisecond

// PredictCSV sends a table of polymers and writes it to out with the predicted
// columns. progress hears where the prediction stands; it may be nil.
func (c *Client) PredictCSV(ctx context.Context, table []byte, m Model, out io.Writer, progress func(*Prediction)) (*Prediction, error) {
	query := url.Values{}
	if m.Repo != "" {
		query.Set("repo", m.Repo)
	}
	if m.Revision != "" {
		query.Set("revision", m.Revision)
	}
	var p Prediction
	err := c.do(ctx, request{
		method: http.MethodPost, path: "/v1/predictions", query: query, body: table, contentType: "text/csv",
		header: http.Header{"Idempotency-Key": {rand.Text()}},
	}, &p)
	if err != nil {
		return nil, err
	}
	path := "/v1/predictions/" + url.PathEscape(p.ID)
	for {
		if progress != nil {
			progress(&p)
		}
		if p.Ended() {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.after(pollEvery):
		}
		if err := c.do(ctx, request{method: http.MethodGet, path: path}, &p); err != nil {
			return nil, err
		}
	}
	if p.Status == "failed" {
		detail := "no reason given"
		if p.Error != nil {
			detail = p.Error.Detail
		}
		return &p, fmt.Errorf("prediction %s failed: %s", p.ID, detail)
	}
	return &p, c.fetch(ctx, path, out)
}

// fetch copies the CSV of a prediction to out.
func (c *Client) fetch(ctx context.Context, path string, out io.Writer) error {
	var res *http.Response
	err := c.repeat(ctx, func() (err error) {
		res, err = c.send(ctx, request{method: http.MethodGet, path: path, accept: "text/csv"})
		return err
	})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(out, res.Body); err != nil {
		return fmt.Errorf("read the predictions: %w", err)
	}
	return nil
}
