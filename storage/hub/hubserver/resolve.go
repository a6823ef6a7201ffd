package hubserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strings"
)

// kindOf is the media type of a file. What would run in a page, or style one, is
// text: pages that may load from this server must not load it as more.
func kindOf(name string) string {
	kind := mime.TypeByExtension(path.Ext(name))
	base, _, _ := strings.Cut(kind, ";")
	switch {
	case kind == "":
		return "application/octet-stream"
	case strings.HasPrefix(base, "text/") && base != "text/csv" || strings.HasSuffix(base, "javascript") || base == "application/xhtml+xml":
		return "text/plain; charset=utf-8"
	}
	return kind
}

// resolveFile serves a file of a revision, or a range of it. LFS content comes
// from here too: after a redirect to the same host clients would lose the
// headers of this answer.
func (s *Server) resolveFile(w http.ResponseWriter, r *http.Request) error {
	p, c, err := s.at(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("X-Repo-Commit", c.Hash.String())
	f, err := p.git.find(c, r.PathValue("path"))
	if err != nil {
		return err
	}
	var content io.ReadSeeker
	if f.lfs == nil {
		b, err := p.git.read(f.hash)
		if err != nil {
			return err
		}
		content = bytes.NewReader(b)
		h.Set("Etag", `"`+f.hash.String()+`"`)
	} else {
		o, err := os.Open(s.blobs.path(f.lfs.oid))
		if errors.Is(err, fs.ErrNotExist) {
			return errNoEntry
		}
		if err != nil {
			return fmt.Errorf("hubserver: %w", err)
		}
		defer o.Close()
		content = o
		h.Set("Etag", `"`+f.lfs.oid+`"`)
		h.Set("X-Linked-Etag", `"`+f.lfs.oid+`"`)
		h.Set("X-Linked-Size", fmt.Sprint(f.lfs.size))
	}
	h.Set("Content-Type", kindOf(r.PathValue("path")))
	h.Set("Cache-Control", "private, no-cache") // its hash says whether it is still the same
	if r.URL.Query().Get("download") != "" {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(r.PathValue("path"))}))
	}
	// What was uploaded is shown, not run.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeContent(w, r, "", c.Committer.When, content)
	return nil
}
