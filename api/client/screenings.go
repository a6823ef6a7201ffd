package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"polyid-trainer/jobs/screenings"
)

const screeningsPath = "/v1/screenings"

// uploadPart is how many bytes of a library are sent at once.
const uploadPart = 8 << 20

// UploadLibrary uploads a table of any length in parts; sent hears how far it is.
func (c *Client) UploadLibrary(ctx context.Context, table io.Reader, name string, sent func(bytes int64)) (*Dataset, error) {
	var u struct {
		ID     string `json:"id"`
		Offset int64  `json:"offset"`
	}
	const base = "/v1/datasets/uploads"
	if err := c.do(ctx, request{method: http.MethodPost, path: base, query: url.Values{"name": {name}}}, &u); err != nil {
		return nil, err
	}
	path := base + "/" + url.PathEscape(u.ID)
	buffer := make([]byte, uploadPart)
	for at := int64(0); ; {
		n, err := io.ReadFull(table, buffer)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("read the library: %w", err)
		}
		if n > 0 {
			if err := c.appendPart(ctx, path, at, buffer[:n]); err != nil {
				return nil, err
			}
			at += int64(n)
			sent(at)
		}
		if err != nil {
			break
		}
	}
	var d Dataset
	err := c.do(ctx, request{method: http.MethodPost, path: path + "/complete"}, &d)
	return &d, err
}

// appendPart appends a part. One whose answer was lost is there already.
func (c *Client) appendPart(ctx context.Context, path string, at int64, part []byte) error {
	var now struct {
		Offset int64 `json:"offset"`
	}
	err := c.do(ctx, request{method: http.MethodPut, path: path, query: url.Values{"offset": {strconv.FormatInt(at, 10)}}, body: bytes.Clone(part), contentType: "application/octet-stream"}, &now)
	var p *Problem
	if !errors.As(err, &p) || p.Status != http.StatusConflict {
		return err
	}
	if look := c.do(ctx, request{method: http.MethodGet, path: path}, &now); look != nil || now.Offset != at+int64(len(part)) {
		return err
	}
	return nil
}

// Screen asks for a screening, given the request's JSON. Asked again because an
// answer was lost, the server makes no second one.
func (c *Client) Screen(ctx context.Context, spec []byte) (*screenings.View, error) {
	var v screenings.View
	err := c.do(ctx, request{
		method: http.MethodPost, path: screeningsPath, body: spec, contentType: "application/json",
		header: http.Header{"Idempotency-Key": {rand.Text()}},
	}, &v)
	return &v, err
}

// FollowScreening looks at a screening every second until it is over, and returns it
// as it is then; seen hears of every look.
func (c *Client) FollowScreening(ctx context.Context, id string, seen func(*screenings.View)) (*screenings.View, error) {
	for {
		var v screenings.View
		if err := c.do(ctx, request{method: http.MethodGet, path: screeningsPath + "/" + url.PathEscape(id)}, &v); err != nil {
			return nil, err
		}
		seen(&v)
		if v.Status.Ended() || v.Status == screenings.Paused {
			return &v, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.after(time.Second):
		}
	}
}

// ScreeningResults copies the results of a screening to out.
func (c *Client) ScreeningResults(ctx context.Context, id string, out io.Writer) error {
	return c.fetch(ctx, screeningsPath+"/"+url.PathEscape(id)+"/results", out)
}
