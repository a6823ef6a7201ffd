package hubserver

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// people of a Hub that alice and bob write to, and carol reads.
var people = map[string]Caller{
	"root-token": {Name: "root", All: true}, "alice-token": {Name: "alice", Write: true}, "bob-token": {Name: "bob", Write: true}, "carol-token": {Name: "carol"},
}

func shared(t *testing.T) *Server {
	t.Helper()
	return newServer(t, Config{
		Shared: "polyid/polyid-models",
		Tokens: []Token{{Name: "polyid", Secret: "own-token"}},
		Find:   func(secret string) (Caller, bool) { c, ok := people[secret]; return c, ok },
		Named: func(name string) (Caller, bool) {
			c, ok := people[name+"-token"]
			return c, ok
		},
	})
}

func asCaller(s *Server, who, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who+"-token")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *Server) want(t *testing.T, status int, who, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := asCaller(s, who, method, target, body)
	if w.Code != status {
		t.Errorf("%s %s as %q: %d %.200s, want %d", method, target, who, w.Code, w.Body, status)
	}
	return w
}

// reads and writes are every call that names a repository, of alice's.
var (
	reads = [][2]string{
		{"GET", "/api/models/R"}, {"GET", "/api/models/R/revision/main"}, {"GET", "/api/models/R/refs"}, {"GET", "/api/models/R/tree/main"},
		{"POST", "/api/models/R/paths-info/main"}, {"GET", "/api/models/R/commits/main"}, {"GET", "/R/resolve/main/a.txt"}, {"GET", "/R/raw/main/a.txt"},
		{"HEAD", "/R/resolve/main/a.txt"}, {"GET", "/R/info/refs?service=git-upload-pack"}, {"POST", "/R/git-upload-pack"}, {"POST", "/R/info/lfs/objects/batch"},
		{"GET", "/R"}, {"GET", "/R/tree/main"}, {"GET", "/R/blob/main/a.txt"}, {"GET", "/R/commits/main"}, {"GET", "/R/refs"}, {"GET", "/models/R"},
	}
	writes = [][3]string{
		{"POST", "/api/models/R/commit/main", header + line("b", "1")}, {"POST", "/api/models/R/tag/main", `{"tag":"x"}`}, {"DELETE", "/api/models/R/tag/v1", ""},
		{"POST", "/api/models/R/branch/new", `{}`}, {"DELETE", "/api/models/R/branch/dev", ""}, {"POST", "/api/models/R/super-squash/main", `{}`},
		{"PUT", "/api/models/R/settings", `{"private":false}`}, {"GET", "/api/models/R/lfs-files", ""}, {"POST", "/R/info/lfs/objects/batch", `{"operation":"upload","objects":[]}`},
		{"POST", "/api/repos/move", `{"fromrepo":"R","torepo":"bob/mine"}`}, {"DELETE", "/api/repos/delete", `{"name":"R"}`},
	}
)

// A private repository is there for its owner and those who may see everything, and
// for nobody else, at no address; a public one is everybody's to read and its owner's
// to change.
func TestOwners(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for id, private := range map[string]string{"alice/secret": "true", "alice/open": "false"} {
		s.want(t, 200, "alice", "POST", "/api/repos/create", `{"name":"`+id+`","private":`+private+`}`)
		s.want(t, 200, "alice", "POST", "/api/models/"+id+"/commit/main", header+line("a.txt", "1")+line("b.bin", "22"))
		s.want(t, 200, "alice", "POST", "/api/models/"+id+"/tag/main", `{"tag":"v1"}`)
		s.want(t, 200, "alice", "POST", "/api/models/"+id+"/branch/dev", `{}`)
	}
	at := func(pattern, id string) string { return strings.ReplaceAll(pattern, "R", id) }
	for _, c := range reads {
		body := ""
		if strings.HasSuffix(c[1], "batch") {
			body = `{"operation":"download","objects":[]}`
		}
		for who, status := range map[string]int{"bob": 404, "carol": 404, "": 401} {
			if w := asCaller(s, who, c[0], at(c[1], "alice/secret"), body); w.Code != status {
				t.Errorf("%s %s as %q: %d %.100s, want %d", c[0], c[1], who, w.Code, w.Body, status)
			}
			if w := asCaller(s, who, c[0], at(c[1], "alice/none"), body); w.Code != status {
				t.Errorf("%s %s as %q: %d of a repository that is not there, and %d of a private one", c[0], c[1], who, w.Code, status)
			}
		}
		for _, who := range []string{"alice", "root"} {
			if w := asCaller(s, who, c[0], at(c[1], "alice/secret"), body); w.Code == 404 || w.Code == 401 || w.Code == 403 {
				t.Errorf("%s %s as %q: %d %.100s", c[0], c[1], who, w.Code, w.Body)
			}
		}
		for _, who := range []string{"bob", "carol", ""} {
			if w := asCaller(s, who, c[0], at(c[1], "alice/open"), body); w.Code == 404 || w.Code == 401 || w.Code == 403 {
				t.Errorf("%s %s as %q of a public one: %d %.100s", c[0], c[1], who, w.Code, w.Body)
			}
		}
	}
	for _, c := range writes {
		for who, status := range map[string][2]int{"bob": {404, 403}, "carol": {403, 403}, "": {401, 401}} {
			s.want(t, status[0], who, c[0], at(c[1], "alice/secret"), at(c[2], "alice/secret"))
			s.want(t, status[1], who, c[0], at(c[1], "alice/open"), at(c[2], "alice/open"))
		}
	}
	for who, want := range map[string]string{"alice": "alice/open alice/secret", "bob": "alice/open", "carol": "alice/open", "": "alice/open", "root": "alice/open alice/secret"} {
		for _, list := range []string{"/api/models", "/"} {
			body := asCaller(s, who, "GET", list, "").Body.String()
			if strings.Contains(body, "alice/secret") != strings.Contains(want, "secret") || !strings.Contains(body, "alice/open") {
				t.Errorf("%s as %q has not %s", list, who, want)
			}
		}
	}
	if body := s.want(t, 200, "bob", "GET", "/api/settings/repositories", "").Body.String(); strings.Contains(body, "alice") {
		t.Errorf("bob's storage is %s", body)
	}
	// A copy is the copier's, and so may only be of what he may see.
	s.want(t, 404, "bob", "POST", "/api/models/alice/secret/duplicate", `{"repository":"bob/copy"}`)
	s.want(t, 200, "bob", "POST", "/api/models/alice/open/duplicate", `{"repository":"bob/copy","visibility":"private"}`)
	s.want(t, 404, "alice", "GET", "/api/models/bob/copy", "")
	// The owner may do all of it.
	for _, c := range writes {
		if w := asCaller(s, "alice", c[0], at(c[1], "alice/secret"), strings.ReplaceAll(at(c[2], "alice/secret"), "bob/mine", "alice/secret")); w.Code >= 300 && w.Code != 409 {
			t.Errorf("%s %s as the owner: %d %.100s", c[0], c[1], w.Code, w.Body)
		}
	}
}

// Where callers may make repositories, and what is read although it is private.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	s := shared(t)
	make := func(who, id string) int {
		return asCaller(s, who, "POST", "/api/repos/create", `{"name":"`+id+`","private":true}`).Code
	}
	for _, c := range []struct {
		who, id string
		status  int
	}{
		{"own", "polyid/polyid-models", 200}, {"alice", "polyid/mine", 403}, {"alice", "bob/mine", 403}, {"alice", "lab/mine", 200}, {"bob", "lab/his", 403},
		{"alice", "lab/more", 200}, {"carol", "carol/x", 403}, {"root", "lab/roots", 200}, {"alice", "plain", 200}, {"", "x/y", 401},
	} {
		if have := make(c.who, c.id); have != c.status {
			t.Errorf("%q makes %s: %d, want %d", c.who, c.id, have, c.status)
		}
	}
	s.want(t, http.StatusOK, "alice", "GET", "/api/models/alice/plain", "")
	for who, status := range map[string]int{"alice": 200, "carol": 200, "": 401} {
		s.want(t, status, who, "GET", "/api/models/polyid/polyid-models", "")
	}
	alice, bob, root := people["alice-token"], people["bob-token"], people["root-token"]
	if err := s.CheckRead(bob, "lab/mine"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("bob reads lab/mine: %v", err)
	}
	if err := errors.Join(s.CheckRead(alice, "lab/mine"), s.CheckRead(bob, "polyid/polyid-models"), s.CheckRead(bob, "no/where"), s.CheckWrite(root, "lab/mine"), s.CheckWrite(alice, "alice/new")); err != nil {
		t.Error(err)
	}
	for id, want := range map[string]error{"lab/mine": fs.ErrNotExist, "polyid/polyid-models": ErrForbidden, "alice/new": ErrForbidden} {
		if err := s.CheckWrite(bob, id); !errors.Is(err, want) {
			t.Errorf("bob writes %s: %v, want %v", id, err, want)
		}
		if err := s.Claim(bob, id, true); !errors.Is(err, want) {
			t.Errorf("bob claims %s: %v, want %v", id, err, want)
		}
	}
	if err := errors.Join(s.Claim(bob, "bob/models", true), s.Claim(bob, "bob/models", true)); err != nil {
		t.Error(err)
	}
	s.want(t, 200, "bob", "GET", "/api/models/bob/models", "")
	s.want(t, 404, "alice", "GET", "/api/models/bob/models", "")
}

// An address at which a file is loaded ends with the right of whom it was made for.
func TestGrantsEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	s := shared(t)
	known := map[string]Caller{"alice": {Name: "alice", Write: true}}
	s.config.Named = func(name string) (Caller, bool) { c, ok := known[name]; return c, ok }
	s.want(t, 200, "alice", "POST", "/api/repos/create", `{"name":"alice/secret","private":true}`)
	p, err := s.load("alice/secret")
	if err != nil {
		t.Fatal(err)
	}
	address := s.objectURL(httptest.NewRequest(http.MethodGet, "/", nil), p.id, strings.Repeat("a", 64))
	ask := func(who, operation, method string) int {
		q := s.grant(operation, p.id, lfsObject{strings.Repeat("a", 64), 1}, p.Created.AddDate(1, 0, 0), who)
		return asCaller(s, "", method, strings.TrimPrefix(address, "http://example.com")+"?"+q, "x").Code
	}
	if have := ask("alice", "download", "GET"); have != 404 { // granted, and not stored
		t.Errorf("alice downloads: %d", have)
	}
	if have := ask("bob", "download", "GET"); have != 403 {
		t.Errorf("bob downloads: %d", have)
	}
	known["alice"] = Caller{Name: "alice"} // a reader now
	if have := ask("alice", "upload", "PUT"); have != 403 {
		t.Errorf("alice uploads as a reader: %d", have)
	}
	delete(known, "alice")
	if have := ask("alice", "download", "GET"); have != 403 {
		t.Errorf("alice downloads after her token was revoked: %d", have)
	}
}
