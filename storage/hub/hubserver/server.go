package hubserver

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"html/template"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Config says where a Hub keeps its repositories and whom it serves.
type Config struct {
	Dir    string // created if need be
	Prefix string // path under which the Hub is served, such as "/hub"; the handler expects it in requests
	URL    string // the Hub's address as clients see it, prefix included; by default taken from each request
	// Tokens may see and change everything. With none, and without Find, everyone who
	// reaches the server may do everything.
	Tokens []Token
	// Find is who holds another secret, and Named who has a name; nil is nobody.
	Find  func(secret string) (Caller, bool)
	Named func(name string) (Caller, bool)
	// Session is who a request that carries no token comes from, if it is of a browser
	// of somebody; nobody's if nil. It never allows changes.
	Session func(*http.Request) (Caller, bool)
	// Shared is a repository that every caller may read, also a private one.
	Shared string
	// Login is the path of a page where a browser gets such a session, with the
	// path to come back to as the parameter next; there is none if it is empty.
	Login string
	// Frame answers with a page around the body, which brings its style with it;
	// nil is a plain frame of the Hub's own.
	Frame   func(w http.ResponseWriter, r *http.Request, status int, title string, body template.HTML) error
	User    string // default namespace, and who acts where there are no tokens; "polyid" if empty
	MaxFile int64  // bytes of one file; 512 MB if zero
	// PartSize is from which size on, in bytes, an object is uploaded in parts of
	// that size by clients that can; 64 MB if zero.
	PartSize int64
	// Stall is for how long nothing need come or go while a request is sent or
	// answered; a minute if zero.
	Stall time.Duration
	// MaxRequests is how many requests of one token, or of one address where there
	// is none, are answered at one time; 128 if zero.
	MaxRequests int
	Log         *slog.Logger
}

// Token is who knows a secret; what is done with it bears the name.
type Token struct{ Name, Secret string }

// Server is the handler of a Hub.
type Server struct {
	config              Config
	secrets             [][sha256.Size]byte // hashes of the tokens' secrets
	key                 []byte              // signs upload addresses, for as long as the process lives
	blobs               blobs
	markdown            markdown
	api, objects, files *http.ServeMux

	// locks guard the change of repositories, each by the one its name hashes to.
	locks [64]sync.Mutex
	seed  maphash.Seed
	names sync.RWMutex // held for writing, no repository gets another name
	sweep sweep

	listings *listings
	reaches  *reaches
	damages  damages
	crowds   crowds
}

// New opens the Hub in c.Dir.
func New(c Config) (*Server, error) {
	if c.Dir == "" {
		return nil, errors.New("hubserver: no directory")
	}
	s := newHub(c)
	for _, dir := range []string{s.reposDir(), s.blobs.dir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("hubserver: %w", err)
		}
	}
	if err := s.blobs.clean(); err != nil {
		return nil, err
	}
	if err := s.look(); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

// newHub is New without what touches the directory.
func newHub(c Config) *Server {
	if c.User == "" {
		c.User = "polyid"
	}
	if c.MaxFile == 0 {
		c.MaxFile = 512 << 20
	}
	if c.PartSize <= 0 {
		c.PartSize = 64 << 20
	}
	if c.Stall <= 0 {
		c.Stall = time.Minute
	}
	if c.MaxRequests <= 0 {
		c.MaxRequests = 128
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Prefix = strings.TrimRight(c.Prefix, "/")
	c.URL = strings.TrimRight(c.URL, "/")
	s := &Server{config: c, key: make([]byte, 32), seed: maphash.MakeSeed(), markdown: newMarkdown(),
		listings: newListings(), reaches: newReaches(), damages: damages{now: map[[2]string]Damage{}, log: c.Log}, crowds: crowds{now: map[string]int{}}}
	rand.Read(s.key) // never fails
	for _, t := range c.Tokens {
		s.secrets = append(s.secrets, sha256.Sum256([]byte(t.Secret)))
	}
	s.blobs = blobs{filepath.Join(c.Dir, "lfs"), &s.sweep}
	return s
}

// look reads the settings and references of all repositories, so that damage is
// known from the start.
func (s *Server) look() error {
	ids, err := s.all()
	if err != nil {
		return err
	}
	for _, id := range ids {
		p, err := s.load(id)
		if err != nil {
			continue // it is noted, or gone
		}
		if _, err := p.git.refs("refs/"); err != nil {
			s.damages.note(id, "refs", err.Error())
		}
	}
	return nil
}

// routes has three muxes because a repository may be named like an API call, and
// none begins with an underscore.
func (s *Server) routes() {
	s.api, s.objects, s.files = http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	const model = "/api/models/{ns}/{name}"
	for pattern, h := range map[string]handler{
		"GET /api/whoami-v2":                                s.whoami,
		"POST /api/validate-yaml":                           s.validateYAML,
		"POST /api/repos/create":                            s.createRepo,
		"DELETE /api/repos/delete":                          s.deleteRepo,
		"POST /api/repos/move":                              s.moveRepo,
		"PUT " + model + "/settings":                        s.updateSettings,
		"GET /api/models":                                   s.listModels,
		"GET /api/settings/repositories":                    s.listStorage,
		"GET /api/organizations/{ns}/settings/repositories": s.listStorage,
		"GET " + model:                                      s.modelInfo,
		"GET " + model + "/revision/{rev}":                  s.modelInfo,
		"GET " + model + "/refs":                            s.refs,
		"GET " + model + "/tree/{rev}":                      s.tree,
		"GET " + model + "/tree/{rev}/{path...}":            s.tree,
		"POST " + model + "/paths-info/{rev}":               s.pathsInfo,
		"GET " + model + "/commits/{rev}":                   s.commits,
		"POST " + model + "/preupload/{rev}":                s.preupload,
		"POST " + model + "/commit/{rev}":                   s.commit,
		"POST " + model + "/tag/{rev}":                      s.createTag,
		"DELETE " + model + "/tag/{rev}":                    s.deleteTag,
		"POST " + model + "/branch/{rev}":                   s.createBranch,
		"DELETE " + model + "/branch/{rev}":                 s.deleteBranch,
		"POST " + model + "/super-squash/{rev}":             s.squash,
		"POST " + model + "/duplicate":                      s.duplicate,
		"GET " + model + "/lfs-files":                       s.listLFS,
		"/api/datasets/":                                    s.otherType,
		"/api/spaces/":                                      s.otherType,
	} {
		s.api.HandleFunc(pattern, s.handle(h))
	}
	for call, what := range absentCalls {
		s.api.HandleFunc(model+"/"+call, s.handle(absent(what)))
		s.api.HandleFunc(model+"/"+call+"/{rest...}", s.handle(absent(what)))
	}
	for pattern, h := range map[string]handler{
		"GET /_assets/{file}":                              s.asset,
		"GET /_lfs/{ns}/{name}/objects/{oid}":              s.lfsGet,
		"PUT /_lfs/{ns}/{name}/objects/{oid}":              s.lfsPut,
		"POST /_lfs/{ns}/{name}/objects/{oid}/verify":      s.lfsVerify,
		"PUT /_lfs/{ns}/{name}/objects/{oid}/parts/{part}": s.lfsPutPart,
		"POST /_lfs/{ns}/{name}/objects/{oid}/parts":       s.lfsComplete,
	} {
		s.objects.HandleFunc(pattern, s.handle(h))
	}
	for pattern, h := range map[string]handler{
		"GET /{ns}/{name}/resolve/{rev}/{path...}": s.resolveFile,
		"GET /{ns}/{name}/raw/{rev}/{path...}":     s.rawFile,
		"GET /{ns}/{name}/info/refs":               challenge(s.infoRefs),
		"POST /{ns}/{name}/git-upload-pack":        challenge(s.uploadPack),
		"POST /{ns}/{name}/info/lfs/objects/batch": challenge(s.lfsBatch),
		"GET /{$}":                              s.page(s.indexPage),
		"GET /{ns}/{name}":                      s.page(s.cardPage),
		"GET /{ns}/{name}/tree/{rev}":           s.page(s.filesPage),
		"GET /{ns}/{name}/tree/{rev}/{path...}": s.page(s.filesPage),
		"GET /{ns}/{name}/blob/{rev}/{path...}": s.page(s.filePage),
		"GET /{ns}/{name}/commits/{rev}":        s.page(s.historyPage),
		"GET /{ns}/{name}/commit/{rev}":         s.page(s.commitPage),
		"GET /{ns}/{name}/refs":                 s.page(s.refsPage),
	} {
		s.files.HandleFunc(pattern, s.handle(h))
	}
}

// ServeHTTP answers requests under the prefix; state is not changed at the
// wish of another site's page in a browser.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		answerError(w, r, errorf(http.StatusForbidden, "", "%v", err))
		return
	}
	who := s.crowd(r)
	if !s.crowds.enter(who, s.config.MaxRequests) {
		w.Header().Set("Retry-After", "1")
		answerError(w, r, errCrowded)
		return
	}
	defer s.crowds.leave(who)
	w, r, end := s.pace(w, r)
	defer end()
	http.StripPrefix(s.config.Prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "":
			http.Redirect(w, r, s.root(r)+"/", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/api/"):
			s.serve(s.api, w, r)
		case strings.HasPrefix(r.URL.Path, "/_"):
			s.serve(s.objects, w, r)
		case strings.HasPrefix(r.URL.Path, typePrefix+"/"): // the address a client was told
			http.StripPrefix(typePrefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(s.files, w, r) })).ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/datasets/"), strings.HasPrefix(r.URL.Path, "/spaces/"):
			s.handle(s.otherType)(w, r)
		default:
			s.serve(s.files, w, r)
		}
	})).ServeHTTP(w, r)
}

// serve answers with what mux has at an address. An address that is not clean
// has nothing: a mux would redirect it to one that lacks the prefix.
func (s *Server) serve(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	address := r.URL.EscapedPath()
	clean := path.Clean(address)
	_, pattern := mux.Handler(r)
	switch {
	case pattern != "" && (address == clean || address == clean+"/" && clean != "/"):
		mux.ServeHTTP(w, r)
	case clean+"/" == address && mux == s.files && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		http.Redirect(w, r, s.root(r)+clean, http.StatusFound)
	case mux == s.files && strings.Contains(r.Header.Get("Accept"), "text/html"):
		s.handle(s.page(func(http.ResponseWriter, *http.Request) error { return errNothing }))(w, r)
	default:
		answerError(w, r, errNothing)
	}
}

type handler func(w http.ResponseWriter, r *http.Request) error

// handle turns a handler's error into the answer the clients dispatch on.
func (s *Server) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		var known *httpError
		if !errors.As(err, &known) && r.Context().Err() == nil {
			s.config.Log.ErrorContext(r.Context(), "hub request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		answerError(w, r, err)
	}
}

// typePrefix may stand before a repository's name in an address. The addresses
// that clients are told have it: huggingface_hub 0.36 reads the part before the
// namespace as the repository's type, and would take the Hub's own prefix for it.
const typePrefix = "/models"

// repoURL is the address of a repository as clients parse it.
func (s *Server) repoURL(r *http.Request, id string) string { return s.base(r) + typePrefix + "/" + id }

// challenge makes git ask for a user and password, of which the password is
// the token, where a request without one is refused.
func challenge(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		if e := new(httpError); errors.As(err, &e) && e.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="Hub"`)
		}
		return err
	}
}

// base is the Hub's address as the client of r sees it, in front of a proxy that
// ends TLS too. Nobody but the client sees what is made of its words.
func (s *Server) base(r *http.Request) string {
	if s.config.URL != "" {
		return s.config.URL
	}
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host + s.config.Prefix
}

func (s *Server) whoami(w http.ResponseWriter, r *http.Request) error {
	a, c := s.caller(r)
	if a != full {
		_, err := s.writer(r)
		return err
	}
	role := "read"
	if c.All || c.Write {
		role = "write"
	}
	user := s.home(c)
	return answer(w, map[string]any{
		"type": "user", "id": "1", "name": user, "fullname": user, "isPro": false, "orgs": []any{},
		"auth": map[string]any{"type": "access_token", "accessToken": map[string]any{"displayName": c.Name, "role": role}},
	})
}

// home is the namespace of a caller's repositories that are named without one.
func (s *Server) home(c Caller) string {
	if c.All {
		return s.config.User
	}
	return c.Name
}
