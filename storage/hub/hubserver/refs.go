package hubserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

type refEntry struct {
	Name         string `json:"name"`
	Ref          string `json:"ref"`
	TargetCommit string `json:"targetCommit"`
	object       string // TargetCommit or an annotated tag of it
}

// list returns the references under prefix, by name.
func (g *gitRepo) list(prefix string) ([]refEntry, error) {
	iter, err := g.storage.IterReferences()
	if err != nil {
		return nil, fmt.Errorf("hubserver: %w", err)
	}
	defer iter.Close()
	out := []refEntry{}
	err = iter.ForEach(func(r *plumbing.Reference) error {
		name, ok := strings.CutPrefix(r.Name().String(), prefix)
		if !ok || r.Type() != plumbing.HashReference {
			return nil
		}
		c, err := g.peel(r.Hash())
		if err != nil {
			return err
		}
		out = append(out, refEntry{name, r.Name().String(), c.Hash.String(), r.Hash().String()})
		return nil
	})
	slices.SortFunc(out, func(a, b refEntry) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

func (s *Server) refs(w http.ResponseWriter, r *http.Request) error {
	p, done, err := s.open(r, false)
	if err != nil {
		return err
	}
	defer done()
	branches, err := p.git.list("refs/heads/")
	if err != nil {
		return err
	}
	tags, err := p.git.list("refs/tags/")
	if err != nil {
		return err
	}
	return answer(w, map[string]any{"branches": branches, "tags": tags, "converts": []any{}, "pullRequests": []any{}})
}

// free fails unless a branch or tag of that name can be made.
func (g *gitRepo) free(prefix, name, kind string) error {
	full := plumbing.ReferenceName(prefix + name)
	if name == "" || len(name) > 200 || commitPattern.MatchString(name) || strings.HasPrefix(name, "refs/") || full.Validate() != nil {
		return badRequest("Invalid %s name", kind)
	}
	taken, err := g.list(prefix)
	if err != nil {
		return err
	}
	for _, t := range taken {
		// A name that is a folder of another cannot be a file beside it.
		if t.Name == name || strings.HasPrefix(t.Name, name+"/") || strings.HasPrefix(name, t.Name+"/") {
			return errorf(http.StatusConflict, "", "%s reference exists already", strings.ToUpper(kind[:1])+kind[1:])
		}
	}
	return nil
}

func (s *Server) createTag(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Tag, Message string }
	if err := read(w, r, &in); err != nil {
		return err
	}
	p, done, err := s.open(r, true)
	if err != nil {
		return err
	}
	defer done()
	c, err := p.git.resolve(r.PathValue("rev"))
	if err != nil {
		return err
	}
	if err := p.git.free("refs/tags/", in.Tag, "tag"); err != nil {
		return err
	}
	target := c.Hash.String()
	if in.Message != "" {
		_, who := s.caller(r)
		if target, err = p.git.annotate(c, in.Tag, who, in.Message); err != nil {
			return err
		}
	}
	if err := p.git.setRef("refs/tags/"+in.Tag, target); err != nil {
		return err
	}
	return answer(w, map[string]any{})
}

func (s *Server) createBranch(w http.ResponseWriter, r *http.Request) error {
	in := struct{ StartingPoint string }{"main"}
	if err := read(w, r, &in); err != nil {
		return err
	}
	p, done, err := s.open(r, true)
	if err != nil {
		return err
	}
	defer done()
	c, err := p.git.resolve(in.StartingPoint)
	if err != nil {
		return err
	}
	branch := r.PathValue("rev")
	if err := p.git.free("refs/heads/", branch, "branch"); err != nil {
		return err
	}
	if err := p.git.setRef("refs/heads/"+branch, c.Hash.String()); err != nil {
		return err
	}
	return answer(w, map[string]any{})
}

func (s *Server) deleteTag(w http.ResponseWriter, r *http.Request) error {
	return s.deleteRef(w, r, "refs/tags/")
}

func (s *Server) deleteBranch(w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("rev") == "main" {
		return errorf(http.StatusForbidden, "", "The main branch stays")
	}
	return s.deleteRef(w, r, "refs/heads/")
}

func (s *Server) deleteRef(w http.ResponseWriter, r *http.Request, prefix string) error {
	p, done, err := s.open(r, true)
	if err != nil {
		return err
	}
	defer done()
	have, err := p.git.list(prefix)
	if err != nil {
		return err
	}
	name := r.PathValue("rev")
	if !slices.ContainsFunc(have, func(e refEntry) bool { return e.Name == name }) {
		return errNoRevision
	}
	if err := p.git.deleteRef(prefix + name); err != nil {
		return err
	}
	return answer(w, map[string]any{})
}
