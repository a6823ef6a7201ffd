package hubserver

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/object"

	"polyid-trainer/storage/hub"
)

func (s *Server) refs(w http.ResponseWriter, r *http.Request) error {
	p, err := s.open(r)
	if err != nil {
		return err
	}
	branches, err := p.git.refs("refs/heads/")
	if err != nil {
		return err
	}
	tags, err := p.git.refs("refs/tags/")
	if err != nil {
		return err
	}
	return answer(w, map[string]any{"branches": branches, "tags": tags, "converts": []any{}, "pullRequests": []any{}})
}

// free fails unless a branch or tag of that name can be made. A damaged one of
// the name is in the way too.
func (g *gitRepo) free(prefix, name, kind string) error {
	check := hub.CheckTag
	if prefix == "refs/heads/" {
		check = hub.CheckBranch
	}
	if err := check(name); err != nil {
		return badRequest("%v", err)
	}
	taken, err := g.targets()
	if err != nil {
		return err
	}
	for ref := range taken {
		// A name that is a folder of another cannot be a file beside it.
		if t, ok := strings.CutPrefix(ref, prefix); ok && (t == name || strings.HasPrefix(t, name+"/") || strings.HasPrefix(name, t+"/")) {
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
	err := s.change(r, func(p *repo, who string) error {
		c, err := p.git.resolveFor(r.PathValue("rev"), true)
		if err != nil {
			return err
		}
		if err := p.git.free("refs/tags/", in.Tag, "tag"); err != nil {
			return err
		}
		target := c.Hash.String()
		if in.Message != "" {
			if target, err = p.git.annotate(c, in.Tag, who, in.Message); err != nil {
				return err
			}
		}
		return p.git.setRef("refs/tags/"+in.Tag, target, who, "tag")
	})
	if err != nil {
		return err
	}
	return answer(w, map[string]any{})
}

// createBranch starts a branch at a revision or, where it is to be empty, at a
// commit without a file. With overwrite a branch of that name is moved to where it
// should be, if that is said.
func (s *Server) createBranch(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		StartingPoint          string
		EmptyBranch, Overwrite bool
	}
	if err := read(w, r, &in); err != nil {
		return err
	}
	branch := r.PathValue("rev")
	err := s.change(r, func(p *repo, who string) error {
		err := p.git.free("refs/heads/", branch, "branch")
		if e := new(httpError); in.Overwrite && errors.As(err, &e) && e.status == http.StatusConflict {
			switch _, ok, damage := p.git.reference("refs/heads/" + branch); {
			case ok && damage == nil && in.StartingPoint == "" && !in.EmptyBranch:
				return nil // nothing is said of where it should be
			case ok:
				err = nil
			}
		}
		if err != nil {
			return err
		}
		var target string
		if in.EmptyBranch {
			target, err = p.git.commit(nil, "", who, "initial commit")
		} else {
			var c *object.Commit
			if c, err = p.git.resolveFor(cmp.Or(in.StartingPoint, "main"), true); err == nil {
				target = c.Hash.String()
			}
		}
		if err != nil {
			return err
		}
		return p.git.setRef("refs/heads/"+branch, target, who, "branch")
	})
	if err != nil {
		return err
	}
	return answer(w, map[string]any{})
}

func (s *Server) deleteTag(w http.ResponseWriter, r *http.Request) error {
	return s.deleteRef(w, r, "refs/tags/")
}

func (s *Server) deleteBranch(w http.ResponseWriter, r *http.Request) error {
	if err := s.mayWrite(r); err != nil {
		return err
	}
	if r.PathValue("rev") == "main" {
		return errorf(http.StatusForbidden, "", "The main branch stays")
	}
	return s.deleteRef(w, r, "refs/heads/")
}

// deleteRef removes a branch or tag, a damaged one too.
func (s *Server) deleteRef(w http.ResponseWriter, r *http.Request, prefix string) error {
	err := s.change(r, func(p *repo, _ string) error {
		have, err := p.git.targets()
		if err != nil {
			return err
		}
		ref := prefix + r.PathValue("rev")
		if _, ok := have[ref]; !ok {
			return errNoRevision
		}
		return p.git.deleteRef(ref)
	})
	if err != nil {
		return err
	}
	return answer(w, map[string]any{})
}
