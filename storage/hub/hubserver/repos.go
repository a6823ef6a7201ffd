package hubserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/object"

	"polyid-trainer/storage/hub"
)

// settings of a repository, the content of its settings.json. A repository
// exists once it has them.
type settings struct {
	Schema  int       `json:"schema"`
	Private bool      `json:"private"`
	Created time.Time `json:"created"`
	// Owner is the name of the caller that made it; "" is of those who may see and
	// change everything.
	Owner string `json:"owner,omitempty"`
}

const settingsFile = "settings.json"

// repo is a repository opened for one request.
type repo struct {
	id  string // namespace/name
	dir string
	settings
	git *gitRepo
}

func (s *Server) reposDir() string { return filepath.Join(s.config.Dir, "repos") }

func (s *Server) repoDir(id string) string {
	return filepath.Join(s.reposDir(), filepath.FromSlash(id)+".git")
}

func (s *Server) lock(id string) *sync.Mutex { return &s.locks[s.stripe(id)] }

func (s *Server) stripe(id string) int {
	return int(maphash.String(s.seed, id) % uint64(len(s.locks)))
}

// lockBoth locks two repositories for writing, in an order that no two calls cross.
func (s *Server) lockBoth(a, b string) (unlock func()) {
	i, j := s.stripe(a), s.stripe(b)
	if i == j {
		s.locks[i].Lock()
		return s.locks[i].Unlock
	}
	i, j = min(i, j), max(i, j)
	s.locks[i].Lock()
	s.locks[j].Lock()
	return func() {
		s.locks[j].Unlock()
		s.locks[i].Unlock()
	}
}

// open returns the repository r names for reading. It is not locked: objects do
// not change, references and settings are replaced whole, and a slow client keeps
// nobody waiting.
func (s *Server) open(r *http.Request) (*repo, error) {
	id := r.PathValue("ns") + "/" + strings.TrimSuffix(r.PathValue("name"), ".git")
	if hub.CheckRepo(id) != nil {
		return nil, s.noRepo(r)
	}
	p, err := s.load(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.noRepo(r)
	}
	if err != nil {
		return nil, err
	}
	if a, c := s.caller(r); !s.sees(a, c, p) {
		return nil, s.noRepo(r)
	}
	return p, nil
}

// change lets f change the repository r names, if the token allows it, in the
// name of who. The repository is locked meanwhile: f neither reads a request nor
// writes an answer, and does nothing that takes long.
func (s *Server) change(r *http.Request, f func(p *repo, who string) error) error {
	c, err := s.writer(r)
	if err != nil {
		return err
	}
	id := r.PathValue("ns") + "/" + strings.TrimSuffix(r.PathValue("name"), ".git")
	if hub.CheckRepo(id) != nil {
		return s.noRepo(r)
	}
	l := s.lock(id)
	l.Lock()
	defer l.Unlock()
	p, err := s.open(r)
	if err != nil {
		return err
	}
	if !c.mayChange(p) {
		return errNotYours(c, p.id)
	}
	return f(p, c.Name)
}

// noRepo answers for repositories that are not there and for those that may
// not be seen, so that nobody learns which.
func (s *Server) noRepo(r *http.Request) error {
	status := http.StatusNotFound
	if s.access(r) != full {
		status = http.StatusUnauthorized
	}
	return errorf(status, "RepoNotFound", "Repository not found")
}

// load opens a repository; fs.ErrNotExist if there is none. Settings that cannot
// be read are noted as damage.
func (s *Server) load(id string) (*repo, error) {
	p := &repo{id: id, dir: s.repoDir(id)}
	b, err := os.ReadFile(filepath.Join(p.dir, settingsFile))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &p.settings); err != nil {
		s.damages.note(id, settingsFile, err.Error())
		return nil, errSettings
	}
	s.damages.note(id, settingsFile, "")
	p.git = s.openGit(id)
	return p, nil
}

// errSettings answers for a repository whose settings cannot be read, among them
// whether it is private.
var errSettings = &httpError{http.StatusInternalServerError, "", "The settings of this repository are damaged on the server; `api doctor --repair` mends what can be mended"}

func (p *repo) saveSettings() error {
	b, err := json.Marshal(p.settings)
	if err != nil {
		return err
	}
	return replaceFile(p.dir, filepath.Join(p.dir, settingsFile), b)
}

// all lists the names of the repositories, damaged ones too.
func (s *Server) all() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(s.reposDir(), "*", "*.git"))
	if err != nil {
		return nil, fmt.Errorf("hubserver: %w", err)
	}
	for i, dir := range names { // sorted
		names[i] = filepath.Base(filepath.Dir(dir)) + "/" + strings.TrimSuffix(filepath.Base(dir), ".git")
	}
	return names, nil
}

// each calls visit with every repository that r may see, by name, and its main
// branch. One that is damaged is left out.
func (s *Server) each(r *http.Request, visit func(p *repo, main *object.Commit) error) error {
	ids, err := s.all()
	if err != nil {
		return err
	}
	for _, id := range ids {
		p, err := s.load(id)
		if err != nil {
			continue
		}
		if a, c := s.caller(r); !s.sees(a, c, p) {
			continue // deleted meanwhile, damaged or not to be seen
		}
		c, err := p.git.resolve("refs/heads/main")
		if err == nil {
			err = visit(p, c)
		}
		if known := new(httpError); err != nil && !errors.As(err, &known) {
			s.config.Log.ErrorContext(r.Context(), "the Hub leaves a repository out of a list", "repo", id, "error", err)
		}
	}
	return nil
}

type repoRequest struct {
	Name, Organization, Type, Visibility string
	Private                              *bool
}

// readRepo returns the repository that a request names in its body.
func (s *Server) readRepo(w http.ResponseWriter, r *http.Request) (in repoRequest, id string, err error) {
	c, err := s.writer(r)
	if err != nil {
		return in, "", err
	}
	if err := read(w, r, &in); err != nil {
		return in, "", err
	}
	if in.Type != "" && in.Type != "model" {
		return in, "", errModelsOnly
	}
	id = in.Name
	if in.Organization != "" {
		id = in.Organization + "/" + in.Name
	} else if !strings.Contains(id, "/") {
		id = s.home(c) + "/" + id
	}
	return in, id, checkName(id)
}

// checkName refuses what is no repository's name.
func checkName(id string) error {
	if err := hub.CheckRepo(id); err != nil {
		return badRequest("%v", err)
	}
	return nil
}

func (in repoRequest) private() bool {
	return in.Visibility == "private" || in.Visibility == "" && in.Private != nil && *in.Private
}

func (s *Server) createRepo(w http.ResponseWriter, r *http.Request) error {
	in, id, err := s.readRepo(w, r)
	if err != nil {
		return err
	}
	_, c := s.caller(r)
	out := map[string]any{"id": id, "name": id, "url": s.repoURL(r, id)}
	switch err := s.make(c, id, in.private()); {
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

// make is create for whoever may; ErrForbidden for others.
func (s *Server) make(c Caller, id string, private bool) error {
	if err := s.mayMake(c, id); err != nil {
		return err
	}
	return s.create(id, c, private)
}

// create makes a repository of the caller's; fs.ErrExist if there is one of that
// name.
func (s *Server) create(id string, c Caller, private bool) error {
	who := c.Name
	l := s.lock(id)
	l.Lock()
	defer l.Unlock()
	switch _, err := s.load(id); {
	case err == nil:
		return fs.ErrExist
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	p := &repo{id: id, dir: s.repoDir(id), git: s.openGit(id)}
	if used, err := p.git.logged("refs/heads/main"); err != nil || len(used) > 1 {
		s.damages.note(id, settingsFile, "it is missing")
		return errors.Join(err, errSettings)
	}
	if err := os.RemoveAll(p.dir); err != nil { // what a creation that was killed left
		return fmt.Errorf("hubserver: %w", err)
	}
	var err error
	if p.git, err = s.initGit(id); err != nil {
		return fmt.Errorf("hubserver: create %s: %w", id, err)
	}
	initial := map[string]file{}
	if initial[attributesFile], err = p.git.addBlob([]byte(attributes)); err != nil {
		return err
	}
	commit, err := p.git.commit(initial, "", who, "initial commit")
	if err != nil {
		return err
	}
	if err := p.git.setRef("refs/heads/main", commit, who, "initial commit"); err != nil {
		return err
	}
	p.settings = settings{Schema: 1, Private: private, Created: time.Now().UTC(), Owner: who}
	if c.unnamed {
		p.Owner = ""
	}
	return p.saveSettings()
}

func (s *Server) deleteRepo(w http.ResponseWriter, r *http.Request) error {
	_, id, err := s.readRepo(w, r)
	if err != nil {
		return err
	}
	if err := s.checkOwner(r, id); err != nil {
		return err
	}
	if err := s.remove(id); errors.Is(err, fs.ErrNotExist) {
		return s.noRepo(r)
	} else if err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	return answer(w, map[string]any{})
}

// checkOwner refuses whoever may not change a repository: as one that is not there
// where it may not be seen. Damaged settings tell no owner.
func (s *Server) checkOwner(r *http.Request, id string) error {
	a, c := s.caller(r)
	if c.All {
		return nil
	}
	p, err := s.load(id)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !s.sees(a, c, p):
		return s.noRepo(r)
	case err != nil:
		return err
	case !c.mayChange(p):
		return errNotYours(c, id)
	}
	return nil
}

// remove removes a repository, a damaged one too; fs.ErrNotExist if there is none.
func (s *Server) remove(id string) error {
	l := s.lock(id)
	l.Lock()
	defer l.Unlock()
	// Without its settings it is gone, whatever of the rest stays.
	if err := os.Remove(filepath.Join(s.repoDir(id), settingsFile)); err != nil {
		return err
	}
	s.damages.forget(id)
	return os.RemoveAll(s.repoDir(id))
}

// moveRepo gives a repository another name; the old one is free again.
func (s *Server) moveRepo(w http.ResponseWriter, r *http.Request) error {
	if err := s.mayWrite(r); err != nil {
		return err
	}
	var in struct{ FromRepo, ToRepo, Type string }
	if err := read(w, r, &in); err != nil {
		return err
	}
	if in.Type != "" && in.Type != "model" {
		return errModelsOnly
	}
	if err := errors.Join(checkName(in.FromRepo), checkName(in.ToRepo)); err != nil {
		return err
	}
	if err := s.checkOwner(r, in.FromRepo); err != nil {
		return err
	}
	if _, c := s.caller(r); in.FromRepo != in.ToRepo {
		if err := s.mayMake(c, in.ToRepo); errors.Is(err, ErrForbidden) {
			return errorf(http.StatusForbidden, "", "%v", err)
		} else if err != nil {
			return err
		}
	}
	switch err := s.rename(in.FromRepo, in.ToRepo); {
	case errors.Is(err, fs.ErrNotExist):
		return s.noRepo(r)
	case errors.Is(err, fs.ErrExist):
		return errorf(http.StatusConflict, "", "%s exists already", in.ToRepo)
	case err != nil:
		return err
	}
	return answer(w, map[string]any{"url": s.repoURL(r, in.ToRepo)})
}

// rename moves a repository; fs.ErrNotExist if there is none, fs.ErrExist if the
// new name is taken.
func (s *Server) rename(from, to string) error {
	s.names.RLock()
	defer s.names.RUnlock()
	defer s.lockBoth(from, to)()
	p, err := s.load(from)
	if err != nil {
		return err
	}
	switch _, err := s.load(to); {
	case err == nil:
		return fs.ErrExist
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir := s.repoDir(to)
	err = os.RemoveAll(dir) // what a creation that was killed left
	err = errors.Join(err, os.MkdirAll(filepath.Dir(dir), 0o755))
	if err == nil {
		err = os.Rename(p.dir, dir)
	}
	if err != nil {
		return fmt.Errorf("hubserver: move %s: %w", from, err)
	}
	s.damages.forget(from)
	return nil
}

func (s *Server) updateSettings(w http.ResponseWriter, r *http.Request) error {
	var in repoRequest
	if err := read(w, r, &in); err != nil {
		return err
	}
	var private bool
	err := s.change(r, func(p *repo, _ string) error {
		if in.Visibility != "" || in.Private != nil {
			p.Private = in.private()
			if err := p.saveSettings(); err != nil {
				return err
			}
		}
		private = p.Private
		return nil
	})
	if err != nil {
		return err
	}
	return answer(w, map[string]any{"private": private})
}
