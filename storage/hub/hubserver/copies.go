package hubserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// squash makes one commit of a branch's history, which then nothing leads to.
func (s *Server) squash(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Message string }
	if err := read(w, r, &in); err != nil {
		return err
	}
	if in.Message == "" {
		in.Message = "Squash " + r.PathValue("rev")
	}
	err := s.change(r, func(p *repo, who string) error {
		branch := "refs/heads/" + r.PathValue("rev")
		c, ok, err := p.git.reference(branch)
		if err != nil {
			return err
		}
		if !ok {
			return errNoRevision
		}
		commit, err := p.git.commitTree(c.TreeHash, nil, who, in.Message)
		if err != nil {
			return err
		}
		return p.git.setRef(branch, commit, who, "squash")
	})
	if err != nil {
		return err
	}
	return answer(w, map[string]any{})
}

// duplicate makes a repository that has what another one has: branches, tags and
// history. It is as private as that one unless it is to be more so.
func (s *Server) duplicate(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Repository, Visibility string }
	if err := read(w, r, &in); err != nil {
		return err
	}
	c, err := s.writer(r)
	if err != nil {
		return err
	}
	from, err := s.open(r)
	if err != nil {
		return err
	}
	if err := checkName(in.Repository); err != nil {
		return err
	}
	out := map[string]any{"url": s.repoURL(r, in.Repository)}
	switch err := s.copyRepo(from, in.Repository, c, from.Private && in.Visibility != "public" || in.Visibility == "private"); {
	case errors.Is(err, ErrForbidden):
		return errorf(http.StatusForbidden, "", "%v", err)
	case errors.Is(err, fs.ErrExist):
		out["error"] = "You already created this model repo"
		w.Header().Set("X-Error-Message", "You already created this model repo")
		return answerStatus(w, http.StatusConflict, "application/json", out)
	case err != nil:
		return err
	}
	return answer(w, out)
}

// copyRepo copies the objects of a repository, which do not change, and then
// where its references are.
func (s *Server) copyRepo(from *repo, id string, c Caller, private bool) error {
	who := c.Name
	refs, err := from.git.refs("refs/")
	if err != nil {
		return err
	}
	if err := s.make(c, id, true); err != nil {
		return err
	}
	l := s.lock(id)
	l.Lock()
	defer l.Unlock()
	to, err := s.load(id)
	if err != nil {
		return err
	}
	objects := filepath.Join(from.dir, "objects")
	err = filepath.WalkDir(objects, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err) // collected meanwhile
		}
		rel, err := filepath.Rel(objects, name)
		if err != nil {
			return err
		}
		return copyFile(name, filepath.Join(to.dir, "objects", rel))
	})
	if err != nil {
		return fmt.Errorf("hubserver: copy of %s: %w", from.id, err)
	}
	for _, ref := range refs {
		if err := to.git.setRef(ref.Ref, ref.object, who, "duplicate of "+from.id); err != nil {
			return err
		}
	}
	to.Private = private
	return to.saveSettings()
}

// copyFile copies a file that is not there yet; what never changes is linked
// where the file system can.
func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	f, err := os.Open(from)
	if err != nil {
		return ignoreMissing(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Dir(to), to, content)
}

// listLFS lists what LFS stores of the branches, for those who may change them.
func (s *Server) listLFS(w http.ResponseWriter, r *http.Request) error {
	if err := s.mayWrite(r); err != nil {
		return err
	}
	p, err := s.open(r)
	if err != nil {
		return err
	}
	if _, c := s.caller(r); !c.mayChange(p) {
		return errNotYours(c, p.id)
	}
	branches, err := p.git.refs("refs/heads/")
	if err != nil {
		return err
	}
	type stored struct {
		OID      string    `json:"oid"`
		FileOID  string    `json:"fileOid"`
		Filename string    `json:"filename"`
		PushedAt time.Time `json:"pushedAt"`
		Ref      string    `json:"ref"`
		Size     int64     `json:"size"`
	}
	out, seen := []stored{}, map[string]bool{}
	for _, b := range branches {
		c, err := p.git.resolve(b.Ref)
		if err != nil {
			return err
		}
		l, err := p.git.list(c)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(l.files)) {
			if f := l.files[name]; f.lfs != nil && !seen[f.lfs.oid] && len(out) < maxEntries {
				seen[f.lfs.oid] = true
				out = append(out, stored{f.lfs.oid, f.lfs.oid, name, c.Committer.When.UTC(), b.Ref, f.size})
			}
		}
	}
	return answer(w, out)
}

// countCommits is how many commits the history of c has.
func (g *gitRepo) countCommits(c *object.Commit) (int, error) {
	if n, ok := g.reaches.counts.Get(c.Hash); ok {
		return n, nil
	}
	n := 0
	err := object.NewCommitPreorderIter(c, nil, nil).ForEach(func(*object.Commit) error { n++; return nil })
	if err != nil {
		return 0, fmt.Errorf("hubserver: %w", err)
	}
	g.reaches.counts.Add(c.Hash, n)
	return n, nil
}
