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
	"slices"
	"strings"
	"sync"
	"time"

	"polyid-trainer/storage/hub"
)

// settings of a repository, the content of its settings.json. A repository
// exists once it has them.
type settings struct {
	Schema  int       `json:"schema"`
	Private bool      `json:"private"`
	Created time.Time `json:"created"`
}

const settingsFile = "settings.json"

// repo is a repository opened for one request, under its lock.
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

func (s *Server) lock(id string) *sync.RWMutex { return &s.locks[s.stripe(id)] }

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

// open returns the repository r names for reading or, if write is set and the
// token allows it, for changing. The caller calls done.
func (s *Server) open(r *http.Request, write bool) (p *repo, done func(), err error) {
	id := r.PathValue("ns") + "/" + strings.TrimSuffix(r.PathValue("name"), ".git")
	if write {
		if err := s.mayWrite(r); err != nil {
			return nil, nil, err
		}
	}
	if hub.CheckRepo(id) != nil {
		return nil, nil, s.noRepo(r)
	}
	l := s.lock(id)
	if write {
		l.Lock()
		done = l.Unlock
	} else {
		l.RLock()
		done = l.RUnlock
	}
	if p, err = s.load(id); errors.Is(err, fs.ErrNotExist) {
		err = s.noRepo(r)
	}
	if err == nil && p.Private && s.access(r) != full {
		err = s.noRepo(r)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return p, done, nil
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

func (s *Server) load(id string) (*repo, error) {
	p := &repo{id: id, dir: s.repoDir(id)}
	b, err := os.ReadFile(filepath.Join(p.dir, settingsFile))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &p.settings); err != nil {
		return nil, fmt.Errorf("hubserver: %s: settings: %w", id, err)
	}
	p.git = openGit(p.dir, &s.sweep)
	return p, nil
}

func (p *repo) saveSettings() error {
	b, err := json.Marshal(p.settings)
	if err != nil {
		return err
	}
	return replaceFile(p.dir, filepath.Join(p.dir, settingsFile), b)
}

// each calls visit with every repository that r may see, by name, under its lock.
func (s *Server) each(r *http.Request, visit func(*repo) error) error {
	names, err := filepath.Glob(filepath.Join(s.reposDir(), "*", "*.git", settingsFile))
	if err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	for _, name := range names { // sorted
		dir := filepath.Dir(name)
		id := filepath.Base(filepath.Dir(dir)) + "/" + strings.TrimSuffix(filepath.Base(dir), ".git")
		if err := s.one(r, id, visit); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) one(r *http.Request, id string, visit func(*repo) error) error {
	l := s.lock(id)
	l.RLock()
	defer l.RUnlock()
	p, err := s.load(id)
	if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
		return nil
	}
	if err != nil || p.Private && s.access(r) != full {
		return err
	}
	return visit(p)
}

type repoRequest struct {
	Name, Organization, Type, Visibility string
	Private                              *bool
}

// readRepo returns the repository that a request names in its body.
func (s *Server) readRepo(w http.ResponseWriter, r *http.Request) (in repoRequest, id string, err error) {
	if err := s.mayWrite(r); err != nil {
		return in, "", err
	}
	if err := read(w, r, &in); err != nil {
		return in, "", err
	}
	if in.Type != "" && in.Type != "model" {
		return in, "", badRequest("This Hub holds models only")
	}
	id = in.Name
	if in.Organization != "" {
		id = in.Organization + "/" + in.Name
	} else if !strings.Contains(id, "/") {
		id = s.config.User + "/" + id
	}
	return in, id, checkName(id)
}

// reserved namespaces have another meaning in an address, here or to a client.
var reserved = []string{"api", "models", "datasets", "spaces", "kernels", "buckets"}

func checkName(id string) error {
	namespace, _, _ := strings.Cut(id, "/")
	if err := hub.CheckRepo(id); err != nil {
		return badRequest("%v", err)
	}
	if slices.Contains(reserved, strings.ToLower(namespace)) {
		return badRequest("The namespace %q is reserved", namespace)
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
	l := s.lock(id)
	l.Lock()
	defer l.Unlock()
	out := map[string]any{"id": id, "name": id, "url": s.repoURL(r, id)}
	_, err = s.load(id)
	switch {
	case err == nil:
		out["error"] = "You already created this model repo"
		w.Header().Set("X-Error-Message", "You already created this model repo")
		return answerStatus(w, http.StatusConflict, "application/json", out)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	p := &repo{id: id, dir: s.repoDir(id)}
	if err := os.RemoveAll(p.dir); err != nil { // what a creation that was killed left
		return fmt.Errorf("hubserver: %w", err)
	}
	if p.git, err = initGit(p.dir, &s.sweep); err != nil {
		return fmt.Errorf("hubserver: create %s: %w", id, err)
	}
	initial := map[string]file{}
	if initial[attributesFile], err = p.git.addBlob([]byte(attributes)); err != nil {
		return err
	}
	_, who := s.caller(r)
	commit, err := p.git.commit(initial, "", who, "initial commit")
	if err != nil {
		return err
	}
	if err := p.git.setRef("refs/heads/main", commit); err != nil {
		return err
	}
	p.settings = settings{Schema: 1, Private: in.private(), Created: time.Now().UTC()}
	if err := p.saveSettings(); err != nil {
		return err
	}
	return answer(w, out)
}

func (s *Server) deleteRepo(w http.ResponseWriter, r *http.Request) error {
	_, id, err := s.readRepo(w, r)
	if err != nil {
		return err
	}
	l := s.lock(id)
	l.Lock()
	defer l.Unlock()
	p, err := s.load(id)
	if errors.Is(err, fs.ErrNotExist) {
		return s.noRepo(r)
	}
	if err != nil {
		return err
	}
	// Without its settings it is gone, whatever of the rest stays.
	if err := os.Remove(filepath.Join(p.dir, settingsFile)); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	return answer(w, map[string]any{})
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
		return badRequest("This Hub holds models only")
	}
	if err := errors.Join(checkName(in.FromRepo), checkName(in.ToRepo)); err != nil {
		return err
	}
	s.names.RLock()
	defer s.names.RUnlock()
	defer s.lockBoth(in.FromRepo, in.ToRepo)()
	p, err := s.load(in.FromRepo)
	if errors.Is(err, fs.ErrNotExist) {
		return s.noRepo(r)
	}
	if err != nil {
		return err
	}
	switch _, err := s.load(in.ToRepo); {
	case err == nil:
		return errorf(http.StatusConflict, "", "%s exists already", in.ToRepo)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	to := s.repoDir(in.ToRepo)
	err = os.RemoveAll(to) // what a creation that was killed left
	err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755))
	if err == nil {
		err = os.Rename(p.dir, to)
	}
	if err != nil {
		return fmt.Errorf("hubserver: move %s: %w", in.FromRepo, err)
	}
	return answer(w, map[string]any{"url": s.repoURL(r, in.ToRepo)})
}

func (s *Server) updateSettings(w http.ResponseWriter, r *http.Request) error {
	var in repoRequest
	if err := read(w, r, &in); err != nil {
		return err
	}
	p, done, err := s.open(r, true)
	if err != nil {
		return err
	}
	defer done()
	if in.Visibility != "" || in.Private != nil {
		p.Private = in.private()
		if err := p.saveSettings(); err != nil {
			return err
		}
	}
	return answer(w, map[string]any{"private": p.Private})
}
