package hubserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"

	"polyid-trainer/storage/hub"
)

// Caller is who makes a request. The zero value may see what is public.
type Caller struct {
	Name string
	// All may see and change every repository, and make them anywhere.
	All bool
	// Write may make repositories and change those that it has made. Without, a
	// caller only reads.
	Write bool

	unnamed bool // what it makes belongs to nobody, and so to those who have All
}

// access is what is known of who makes a request.
type access int

const (
	anonymous access = iota // shows nothing: may read what is public
	full                    // is known
	refused                 // shows a token that is not valid
)

func (s *Server) access(r *http.Request) access {
	a, _ := s.caller(r)
	return a
}

// closed reports whether there are any users. If not, everyone may do everything.
func (s *Server) closed() bool { return len(s.config.Tokens) > 0 || s.config.Find != nil }

// caller is who makes a request, if that is known.
func (s *Server) caller(r *http.Request) (access, Caller) {
	if !s.closed() {
		return full, Caller{Name: s.config.User, All: true, unnamed: true}
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		if _, token, ok = r.BasicAuth(); !ok { // git and git-lfs
			return s.session(r)
		}
	}
	// All are compared, by hashes of one length: how long it takes says nothing
	// of the tokens there are.
	given, found := sha256.Sum256([]byte(token)), -1
	for i, secret := range s.secrets {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(secret[:], given[:]), i, found)
	}
	if found >= 0 {
		return full, Caller{Name: s.config.Tokens[found].Name, All: true, unnamed: true}
	}
	if s.config.Find != nil {
		if c, ok := s.config.Find(token); ok {
			return full, c
		}
	}
	return refused, Caller{}
}

// session is who a browser's request comes from, which never changes anything.
func (s *Server) session(r *http.Request) (access, Caller) {
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && s.config.Session != nil {
		if c, ok := s.config.Session(r); ok {
			return full, c
		}
	}
	return anonymous, Caller{}
}

// named is who has a name, and whether anybody has it still.
func (s *Server) named(name string) (Caller, bool) {
	if !s.closed() {
		return Caller{Name: name, All: true, unnamed: true}, true
	}
	for _, t := range s.config.Tokens {
		if t.Name == name {
			return Caller{Name: name, All: true, unnamed: true}, true
		}
	}
	if s.config.Named != nil {
		return s.config.Named(name)
	}
	return Caller{}, false
}

// writer is in whose name r changes things; an error unless it carries a token that
// may change anything.
func (s *Server) writer(r *http.Request) (Caller, error) {
	a, c := s.caller(r)
	switch {
	case a == full && (c.All || c.Write):
		return c, nil
	case a == full:
		return Caller{}, errorf(http.StatusForbidden, "", "%q may read here, and change nothing", c.Name)
	case a == refused: // the words by which clients tell it from a repository that is not there
		return Caller{}, errorf(http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	}
	return Caller{}, errorf(http.StatusUnauthorized, "", "Invalid username or password.")
}

// mayWrite is writer where the name does not matter.
func (s *Server) mayWrite(r *http.Request) error {
	_, err := s.writer(r)
	return err
}

// owns reports whether a repository is the caller's to see and change.
func (c Caller) owns(p *repo) bool {
	return c.All || c.Name != "" && p.Owner == c.Name
}

// sees reports whether a caller may see a repository.
func (s *Server) sees(a access, c Caller, p *repo) bool {
	return !p.Private || a == full && (c.owns(p) || p.id == s.config.Shared)
}

// mayChange reports whether a caller may change a repository.
func (c Caller) mayChange(p *repo) bool { return c.owns(p) && (c.All || c.Write) }

// changes is mayChange of who makes a request.
func (s *Server) changes(r *http.Request, p *repo) bool {
	a, c := s.caller(r)
	return a == full && c.mayChange(p)
}

// errNotYours refuses to change what may be seen.
func errNotYours(c Caller, id string) error {
	return errorf(http.StatusForbidden, "", "%s is not %q's to change", id, c.Name)
}

// ErrForbidden is of what a caller may not do to a repository that it may see, or
// that is not there.
var ErrForbidden = errors.New("the repository is another's")

// mayMake is ErrForbidden unless a caller may make a repository of that name: in the
// namespace of its own name, or in one that is nobody's: not the name of another
// caller, nor that of the Hub's own user or of the shared repository, and without
// repositories of others.
func (s *Server) mayMake(c Caller, id string) error {
	namespace, _, _ := strings.Cut(id, "/")
	shared, _, _ := strings.Cut(s.config.Shared, "/")
	switch {
	case c.All || c.Write && namespace == c.Name:
		return nil
	case !c.Write:
		return fmt.Errorf("%w: %q makes none", ErrForbidden, c.Name)
	case namespace == s.config.User || namespace == shared:
		return fmt.Errorf("%w: only admins make repositories under %s; make one under %s", ErrForbidden, namespace, c.Name)
	}
	if _, taken := s.named(namespace); taken {
		return fmt.Errorf("%w: %s is the name of another; make one under %s", ErrForbidden, namespace, c.Name)
	}
	there, err := filepath.Glob(filepath.Join(s.reposDir(), namespace, "*.git"))
	if err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	for _, dir := range there {
		p, err := s.load(namespace + "/" + strings.TrimSuffix(filepath.Base(dir), ".git"))
		if err == nil && !c.owns(p) {
			return fmt.Errorf("%w: there are repositories of others under %s; make one under %s", ErrForbidden, namespace, c.Name)
		}
	}
	return nil
}

// CheckRead is fs.ErrNotExist if there is a repository that a caller may not see. One
// that is not there is no error: whoever opens it hears of that.
func (s *Server) CheckRead(c Caller, id string) error {
	if hub.CheckRepo(id) != nil {
		return nil
	}
	p, err := s.load(id)
	if err == nil && !s.sees(full, c, p) {
		return fs.ErrNotExist
	}
	return nil
}

// CheckWrite reports why a caller may not publish to a repository: fs.ErrNotExist if
// it may not see it, ErrForbidden if it may not change it, or make one of that name.
func (s *Server) CheckWrite(c Caller, id string) error {
	p, err := s.load(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.mayMake(c, id)
	case err != nil:
		return err
	case c.mayChange(p):
		return nil
	case !s.sees(full, c, p):
		return fs.ErrNotExist
	}
	return ErrForbidden
}

// Claim makes a repository in a caller's name, or checks that the one there is may be
// changed in it; errors are those of CheckWrite.
func (s *Server) Claim(c Caller, id string, private bool) error {
	if err := s.CheckWrite(c, id); err != nil {
		return err
	}
	if err := s.create(id, c, private); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.CheckWrite(c, id) // made by somebody meanwhile
}
