package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// chunkSize is the header of an upload action that makes it one in parts: all
// are of that many bytes but the last. The other headers are the parts'
// addresses by number.
const chunkSize = "chunk_size"

// maxParts bounds the parts of one file.
const maxParts = 10_000

// putParts sends the content part by part to the addresses the server gave for
// them, and then says that they are complete. A part that fails is repeated by
// itself.
func (c *Client) putParts(ctx context.Context, oid string, f File, a *action) error {
	size, err := strconv.ParseInt(string(a.Header[chunkSize]), 10, 64)
	if err != nil || size <= 0 || (f.Size+size-1)/size > maxParts {
		return fmt.Errorf("hub: the server wants parts of %.20q bytes", a.Header[chunkSize])
	}
	addresses := make([]string, (f.Size+size-1)/size)
	for key, address := range a.Header {
		n, err := strconv.Atoi(key)
		if err == nil && n >= 1 && n <= len(addresses) {
			addresses[n-1] = string(address)
		}
	}
	if i := slices.Index(addresses, ""); i >= 0 {
		return fmt.Errorf("hub: the server gave no address for part %d of %d", i+1, len(addresses))
	}
	type part struct {
		Number int    `json:"partNumber"`
		ETag   string `json:"etag"`
	}
	var parts []part
	for i, address := range addresses {
		from := int64(i) * size
		resp, err := c.do(ctx, request{
			method: http.MethodPut, url: address, anonymous: true,
			kind: "application/octet-stream", size: min(size, f.Size-from),
			body: func() (io.ReadCloser, error) { return section(f, from, size) },
		})
		if err != nil {
			return fmt.Errorf("part %d of %d: %w", i+1, len(addresses), err)
		}
		resp.Body.Close()
		etag := resp.Header.Get("ETag")
		if etag == "" {
			return fmt.Errorf("hub: the server gave no ETag for part %d of %d", i+1, len(addresses))
		}
		parts = append(parts, part{i + 1, etag})
	}
	body, err := json.Marshal(map[string]any{"oid": oid, "parts": parts})
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	resp, err := c.do(ctx, request{
		method: http.MethodPost, url: a.Href, anonymous: true, kind: lfsJSON, size: int64(len(body)),
		header: http.Header{"Accept": {lfsJSON}},
		body:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// section opens n bytes of f from a byte on, fewer at its end.
func section(f File, from, n int64) (io.ReadCloser, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", f.Path, err)
	}
	if s, ok := r.(io.Seeker); ok {
		_, err = s.Seek(from, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, r, from)
	}
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", f.Path, errors.Join(err, r.Close()))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, n), r}, nil
}
