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
	"regexp"
	"strings"
)

// kinds are the media types that files are served as. Pages that may load from
// this server must not load a file as a script, a style or a page: what is not
// named here is text where its name says so, and otherwise bytes.
var kinds = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif",
	".svg": "image/svg+xml", ".json": "application/json", ".csv": "text/csv; charset=utf-8", ".pdf": "application/pdf",
	".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg", ".wav": "audio/wav",
}

// textual matches the ends of names of files that people read, beside those in kinds.
var textual = regexp.MustCompile(`(?i)\.(txt|md|rst|log|tsv|yaml|yml|toml|ini|cfg|xml|xhtml|html?|css|js|mjs|cjs|jsx|es|es6|ts|tsx|py|go|c|h|cc|cpp|rs|sh|bat|r|jl|ipynb|smi|sdf|mol|mol2|pdb|xyz|cif|jinja|gitattributes|gitignore)$`)

// kindOf is the media type of a file.
func kindOf(name string) string {
	if kind, ok := kinds[strings.ToLower(path.Ext(name))]; ok {
		return kind
	}
	if textual.MatchString(name) {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
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

// rawFile serves a file as git has it: of what LFS stores, the pointer.
func (s *Server) rawFile(w http.ResponseWriter, r *http.Request) error {
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
	b, err := p.git.read(f.hash)
	if err != nil {
		return err
	}
	h.Set("Etag", `"`+f.hash.String()+`"`)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if f.lfs == nil {
		h.Set("Content-Type", kindOf(r.PathValue("path")))
	}
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeContent(w, r, "", c.Committer.When, bytes.NewReader(b))
	return nil
}
