package hubserver

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Sizes of the pages of a listing.
const (
	treePage     = 1000
	expandedPage = 100 // of a listing with the last commit of each entry
	commitsPage  = 50
	maxCommits   = 1000 // on a page, for those who ask for more
	maxPaths     = 1000
)

const isoTime = "2006-01-02T15:04:05.000Z"

type lfsEntry struct {
	OID         string `json:"oid"`
	Size        int64  `json:"size"`
	PointerSize int    `json:"pointerSize"`
}

type treeEntry struct {
	Type string    `json:"type"`
	OID  string    `json:"oid"`
	Size int64     `json:"size"`
	Path string    `json:"path"`
	LFS  *lfsEntry `json:"lfs,omitempty"`

	LastCommit *lastCommit `json:"lastCommit,omitempty"` // where it was asked for
}

func entryOf(path string, f file) treeEntry {
	e := treeEntry{Type: "file", OID: f.hash.String(), Size: f.size, Path: path}
	if f.lfs != nil {
		e.LFS = &lfsEntry{f.lfs.oid, f.lfs.size, len(f.lfs.encode())}
	}
	return e
}

// at opens the revision r names, main if it names none, for reading.
func (s *Server) at(r *http.Request) (*repo, *object.Commit, error) {
	p, err := s.open(r)
	if err != nil {
		return nil, nil, err
	}
	c, err := p.git.resolveFor(cmp.Or(r.PathValue("rev"), "main"), s.changes(r, p))
	if err != nil {
		return nil, nil, err
	}
	return p, c, nil
}

func (s *Server) modelInfo(w http.ResponseWriter, r *http.Request) error {
	p, c, err := s.at(r)
	if err != nil {
		return err
	}
	l, err := p.git.list(c)
	if err != nil {
		return err
	}
	blobs := r.URL.Query().Get("blobs")
	siblings := []map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(l.files)) {
		f, sibling := l.files[path], map[string]any{"rfilename": path}
		if isTrue(blobs) {
			sibling["size"], sibling["blobId"] = f.size, f.hash.String()
			if f.lfs != nil {
				sibling["lfs"] = map[string]any{"sha256": f.lfs.oid, "size": f.lfs.size, "pointerSize": len(f.lfs.encode())}
			}
		}
		siblings = append(siblings, sibling)
	}
	out := p.describe(c)
	out["siblings"] = siblings
	if err := s.describeCard(p, l, out); err != nil {
		return err
	}
	return answer(w, out)
}

// describeCard adds what the front matter of a revision's card says of the model.
func (s *Server) describeCard(p *repo, l *listing, out map[string]any) error {
	f, ok := l.files["README.md"]
	if !ok {
		return nil
	}
	b, _, err := s.beginning(p, f, maxMetadata+1024)
	if errors.Is(err, fs.ErrNotExist) { // what LFS stored is lost
		return nil
	}
	if err != nil {
		return err
	}
	text, _ := cutFrontMatter(b)
	m, err := parseMetadata(text)
	if err != nil || m.root == nil {
		return nil // it is shown as none where the card is shown
	}
	out["cardData"] = m.plain()
	tags := []string{}
	add := func(prefix string, values ...string) {
		for _, v := range values {
			if tag := prefix + v; !slices.Contains(tags, tag) && len(tags) < maxTags {
				tags = append(tags, tag)
			}
		}
	}
	for _, key := range []string{"library_name", "pipeline_tag"} {
		if v := m.value(key); v != "" {
			out[key] = v
			add("", v)
		}
	}
	add("", m.values("tags")...)
	add("dataset:", m.values("datasets")...)
	add("license:", m.values("license")...)
	out["tags"] = tags
	return nil
}

// maxTags is how many tags of a card are given out.
const maxTags = 200

// listModels lists the repositories that may be seen, by name.
func (s *Server) listModels(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit <= 0 {
		limit = maxPaths
	}
	out := []map[string]any{}
	err = s.each(r, func(p *repo, c *object.Commit) error {
		namespace, _, _ := strings.Cut(p.id, "/")
		if author := q.Get("author"); len(out) == limit || author != "" && author != namespace ||
			!strings.Contains(strings.ToLower(p.id), strings.ToLower(q.Get("search"))) {
			return nil
		}
		out = append(out, p.describe(c))
		return nil
	})
	if err != nil {
		return err
	}
	return answer(w, out)
}

// listStorage lists repositories with what their main branch holds, for those
// who may change them.
func (s *Server) listStorage(w http.ResponseWriter, r *http.Request) error {
	if err := s.mayWrite(r); err != nil {
		return err
	}
	out := []map[string]any{}
	err := s.each(r, func(p *repo, c *object.Commit) error {
		if !s.changes(r, p) {
			return nil
		}
		if namespace, _, _ := strings.Cut(p.id, "/"); r.PathValue("ns") != "" && r.PathValue("ns") != namespace {
			return nil
		}
		l, err := p.git.list(c)
		if err != nil {
			return err
		}
		var size int64
		for _, f := range l.files {
			size += f.size
		}
		visibility := "public"
		if p.Private {
			visibility = "private"
		}
		out = append(out, map[string]any{
			"id": p.id, "type": "model", "visibility": visibility, "storage": size, "storagePercent": 0,
			"updatedAt": c.Committer.When.UTC().Format(isoTime),
		})
		return nil
	})
	if err != nil {
		return err
	}
	return answer(w, out)
}

// describe is what every description of a repository at a commit holds.
func (p *repo) describe(c *object.Commit) map[string]any {
	namespace, _, _ := strings.Cut(p.id, "/")
	return map[string]any{
		"_id": p.id, "id": p.id, "modelId": p.id, "author": namespace, "sha": c.Hash.String(),
		"private": p.Private, "gated": false, "disabled": false, "downloads": 0, "likes": 0, "tags": []any{},
		"createdAt": p.Created.UTC().Format(isoTime), "lastModified": c.Committer.When.UTC().Format(isoTime),
	}
}

// tree lists the files and folders under a path, directly or at any depth.
func (s *Server) tree(w http.ResponseWriter, r *http.Request) error {
	p, c, err := s.at(r)
	if err != nil {
		return err
	}
	l, err := p.git.list(c)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	all := l.below(strings.Trim(r.PathValue("path"), "/"), isTrue(q.Get("recursive")))
	if len(all) == 0 && r.PathValue("path") != "" {
		return errNoEntry
	}
	from := 0
	if cursor := q.Get("cursor"); cursor != "" {
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 || from > len(all) {
			return badRequest("Invalid cursor")
		}
	}
	size := treePage
	if isTrue(q.Get("expand")) {
		size = expandedPage
	}
	page := all[from:min(from+size, len(all))]
	if next := from + len(page); next < len(all) {
		// A page belongs to a commit, whatever the branch does meanwhile.
		u := s.base(r) + "/api/models/" + p.id + "/tree/" + c.Hash.String()
		if path := r.PathValue("path"); path != "" {
			u += "/" + (&url.URL{Path: path}).EscapedPath()
		}
		q.Set("cursor", strconv.Itoa(next))
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", u, q.Encode()))
	}
	if size == expandedPage {
		if err := p.git.expand(c, page); err != nil {
			return err
		}
	}
	return answer(w, page)
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") || s == "1" }

// below lists the files and folders of a folder, directly or at any depth, by path.
func (l *listing) below(dir string, recursive bool) []treeEntry {
	if dir != "" {
		dir += "/"
	}
	all := []treeEntry{}
	in := func(name string) bool {
		rest, ok := strings.CutPrefix(name, dir)
		return ok && (recursive || !strings.Contains(rest, "/"))
	}
	for name, hash := range l.folders {
		if in(name) {
			all = append(all, folderEntry(name, hash))
		}
	}
	for name, f := range l.files {
		if in(name) {
			all = append(all, entryOf(name, f))
		}
	}
	slices.SortFunc(all, func(a, b treeEntry) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func folderEntry(name string, hash plumbing.Hash) treeEntry {
	return treeEntry{Type: "directory", OID: hash.String(), Path: name}
}

func (s *Server) pathsInfo(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var in struct {
			Paths  []string
			Expand bool
		}
		if err := read(w, r, &in); err != nil {
			return err
		}
		r.PostForm = url.Values{"paths": in.Paths, "expand": {strconv.FormatBool(in.Expand)}}
	} else if err := r.ParseForm(); err != nil {
		return badRequest("the body is not a form")
	}
	p, c, err := s.at(r)
	if err != nil {
		return err
	}
	paths := r.PostForm["paths"]
	if len(paths) > maxPaths {
		return badRequest("at most %d paths", maxPaths)
	}
	l, err := p.git.list(c)
	if err != nil {
		return err
	}
	out := []treeEntry{}
	for _, path := range paths {
		dir := strings.TrimSuffix(path, "/")
		if f, ok := l.files[path]; ok {
			out = append(out, entryOf(path, f))
		} else if hash, ok := l.folders[dir]; ok {
			out = append(out, folderEntry(dir, hash))
		}
	}
	if isTrue(r.PostForm.Get("expand")) {
		if err := p.git.expand(c, out); err != nil {
			return err
		}
	}
	return answer(w, out)
}

// commits lists the last commits of a revision, the newest first.
func (s *Server) commits(w http.ResponseWriter, r *http.Request) error {
	p, c, err := s.at(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	page, _ := strconv.Atoi(q.Get("p")) // none is the first
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit <= 0 {
		limit = commitsPage
	}
	limit = min(limit, maxCommits)
	total, err := p.git.countCommits(c)
	if err != nil {
		return err
	}
	page = min(max(page, 0), total)
	found, more, err := commitsFrom(c, page*limit, limit)
	if err != nil {
		return err
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(total))
	out := []map[string]any{}
	for _, c := range found {
		title, message, _ := strings.Cut(c.Message, "\n")
		out = append(out, map[string]any{
			"id": c.Hash.String(), "title": title, "message": strings.TrimSpace(message),
			"date": c.Author.When.UTC().Format(time.RFC3339), "authors": []any{map[string]any{"user": c.Author.Name}},
		})
	}
	if more {
		w.Header().Set("Link", fmt.Sprintf("<%s/api/models/%s/commits/%s?p=%d&limit=%d>; rel=\"next\"", s.base(r), p.id, c.Hash, page+1, limit))
	}
	return answer(w, out)
}

// commitsFrom lists n commits of the history of c, after the first skip ones;
// more says that there are others.
func commitsFrom(c *object.Commit, skip, n int) (out []*object.Commit, more bool, err error) {
	err = object.NewCommitPreorderIter(c, nil, nil).ForEach(func(c *object.Commit) error {
		if skip > 0 {
			skip--
			return nil
		}
		if more = len(out) == n; more {
			return storer.ErrStop
		}
		out = append(out, c)
		return nil
	})
	if err != nil && !errors.Is(err, storer.ErrStop) {
		return nil, false, fmt.Errorf("hubserver: %w", err)
	}
	return out, more, nil
}
