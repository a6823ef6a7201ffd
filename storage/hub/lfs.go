package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

const lfsJSON = "application/vnd.git-lfs+json"

// lfsBatch is how many objects one batch call may name.
const lfsBatch = 100

// object names content as LFS does.
type object struct {
	OID  string `json:"oid"` // SHA-256
	Size int64  `json:"size"`
}

type action struct {
	Href   string          `json:"href"`
	Header map[string]text `json:"header"`
}

// text is a string that a server may also write as a number.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	*t = text(b)
	return nil
}

// uploadLFS stores the files that the server does not have and returns the
// objects of all of them by path.
func (c *Client) uploadLFS(ctx context.Context, repo, branch string, files []File) (map[string]object, error) {
	objects := map[string]object{}
	for len(files) > 0 {
		batch := files[:min(len(files), lfsBatch)]
		files = files[len(batch):]
		byOID := map[string]File{}
		var asked []object
		for _, f := range batch {
			o := object{f.SHA256, f.Size}
			if o.OID == "" {
				var err error
				if o, err = sum(ctx, f); err != nil {
					return nil, err
				}
			}
			objects[f.Path] = o
			if _, ok := byOID[o.OID]; !ok {
				asked = append(asked, o)
			}
			byOID[o.OID] = f
		}
		if err := c.uploadBatch(ctx, repo, branch, asked, byOID); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func (c *Client) uploadBatch(ctx context.Context, repo, branch string, asked []object, files map[string]File) error {
	in, err := json.Marshal(map[string]any{
		"operation": "upload", "transfers": []string{"basic", "multipart"}, "objects": asked,
		"hash_algo": "sha256", "ref": map[string]string{"name": branch},
	})
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	resp, err := c.do(ctx, request{
		method: http.MethodPost, url: c.base.String() + "/" + repo + ".git/info/lfs/objects/batch",
		kind: lfsJSON, size: int64(len(in)), header: http.Header{"Accept": {lfsJSON}},
		body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(in)), nil },
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var out struct {
		Transfer string
		Objects  []struct {
			object
			Actions struct{ Upload, Verify *action }
			Error   *struct {
				Code    int
				Message string
			}
		}
	}
	if err := decode(resp, &out); err != nil {
		return err
	}
	if out.Transfer != "" && out.Transfer != "basic" && out.Transfer != "multipart" {
		return fmt.Errorf("hub: the server insists on LFS transfer %q", out.Transfer)
	}
	for _, o := range out.Objects {
		f, ok := files[o.OID]
		switch {
		case !ok:
			return fmt.Errorf("hub: the server answered for an object that nobody asked about")
		case o.Error != nil:
			return fmt.Errorf("hub: upload %s: %d: %s", f.Path, o.Error.Code, c.redact(o.Error.Message))
		case o.Actions.Upload == nil: // stored already
			continue
		}
		upload := c.put
		if o.Actions.Upload.Header[chunkSize] != "" {
			upload = c.putParts
		}
		if err := upload(ctx, o.OID, f, o.Actions.Upload); err != nil {
			return fmt.Errorf("upload %s: %w", f.Path, err)
		}
		if v := o.Actions.Verify; v != nil {
			if err := c.call(ctx, http.MethodPost, v.Href, object{o.OID, f.Size}, nil, false); err != nil {
				return fmt.Errorf("verify %s: %w", f.Path, err)
			}
		}
	}
	return nil
}

// put sends the content to the address the server gave for it, which carries
// its own authorization.
func (c *Client) put(ctx context.Context, _ string, f File, a *action) error {
	header := http.Header{}
	for k, v := range a.Header {
		header.Set(k, string(v))
	}
	resp, err := c.do(ctx, request{
		method: http.MethodPut, url: a.Href, header: header, anonymous: true,
		kind: "application/octet-stream", size: f.Size, body: f.Open,
	})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// sum reads f once to name it.
func sum(ctx context.Context, f File) (object, error) {
	r, err := f.Open()
	if err != nil {
		return object{}, fmt.Errorf("hub: %s: %w", f.Path, err)
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, &ctxReader{ctx, r})
	if err != nil {
		return object{}, fmt.Errorf("hub: %s: %w", f.Path, err)
	}
	if n != f.Size {
		return object{}, fmt.Errorf("hub: %s is %d bytes, not the %d it was said to be", f.Path, n, f.Size)
	}
	return object{hex.EncodeToString(h.Sum(nil)), n}, nil
}

// ctxReader ends reading when the context does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
