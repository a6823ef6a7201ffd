package hubserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// as makes requests in the name of a token, of nobody if it is empty.
func as(s *Server, token, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if token != "" {
		r.SetBasicAuth("user", token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func commitOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var out struct{ CommitOID string }
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || !commitPattern.MatchString(out.CommitOID) {
		t.Fatalf("no commit: %d %s", w.Code, w.Body)
	}
	return out.CommitOID
}

// TestDeletedBranch holds that what no branch or tag leads to is there for those
// alone who may change the repository, however it is asked for.
func TestDeletedBranch(t *testing.T) {
	s := newServer(t, Config{Tokens: anna})
	do := func(token, method, target, body string) *httptest.ResponseRecorder {
		return as(s, token, method, target, body)
	}
	do("hf_local", "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	do("hf_local", "POST", "/api/models/acme/tg/branch/draft", `{}`)
	draft := commitOf(t, do("hf_local", "POST", "/api/models/acme/tg/commit/draft", header+line("secret.txt", "secret")+line("secret.bin", "12345")))
	main := commitOf(t, do("hf_local", "POST", "/api/models/acme/tg/commit/main", header+line("a.txt", "a")))
	batch := `{"operation":"download","objects":[{"oid":"5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5","size":5}]}`
	readable := func(token, commit string) int {
		n := 0
		for _, target := range []string{"/acme/tg/resolve/%s/.gitattributes", "/acme/tg/raw/%s/.gitattributes", "/acme/tg/tree/%s", "/acme/tg/blob/%s/.gitattributes", "/acme/tg/commits/%s", "/acme/tg/commit/%s",
			"/acme/tg?revision=%s", "/api/models/acme/tg/revision/%s", "/api/models/acme/tg/tree/%s", "/api/models/acme/tg/commits/%s"} {
			for _, id := range []string{commit, commit[:8]} {
				if do(token, "GET", fmt.Sprintf(target, id), "").Code == 200 {
					n++
				}
			}
		}
		want := fmt.Sprintf("0032want %s\n00000009done\n", commit)
		if w := do(token, "POST", "/acme/tg/git-upload-pack", want); w.Code == 200 && bytes.Contains(w.Body.Bytes(), []byte("PACK")) {
			n++
		}
		return n
	}
	if got := readable("", draft); got != 21 {
		t.Errorf("of a branch that is there a reader can read %d of 21", got)
	}
	if w := do("", "POST", "/acme/tg.git/info/lfs/objects/batch", batch); !strings.Contains(w.Body.String(), "href") {
		t.Errorf("an object of a branch: %s", w.Body)
	}
	do("hf_local", "DELETE", "/api/models/acme/tg/branch/draft", "")
	if got := readable("", draft); got != 0 {
		t.Errorf("of a deleted branch a reader can read %d of 21", got)
	}
	if got := readable("", main); got != 21 {
		t.Errorf("of the main branch a reader can read %d of 21", got)
	}
	if got := readable("hf_local", draft); got != 11 { // by its whole name
		t.Errorf("of a deleted branch a writer can read %d of 11", got)
	}
	if w := do("", "POST", "/acme/tg.git/info/lfs/objects/batch", batch); strings.Contains(w.Body.String(), "href") {
		t.Errorf("an object of a deleted branch: %s", w.Body)
	}
	if w := do("", "GET", "/acme/tg/info/refs?service=git-upload-pack", ""); strings.Contains(w.Body.String(), "allow-reachable-sha1-in-want") && !strings.Contains(w.Body.String(), main) {
		t.Errorf("refs: %s", w.Body)
	}
}

// TestGrantsEnd holds that an address for an object ends with the right to it.
func TestGrantsEnd(t *testing.T) {
	s := newServer(t, Config{Tokens: []Token{{"anna", "hf_local"}, {"bob", "hf_bob"}}})
	as(s, "hf_local", "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	as(s, "hf_local", "POST", "/api/models/acme/tg/commit/main", header+line("a.bin", "12345"))
	href := func(token, operation, oid string) string {
		t.Helper()
		w := as(s, token, "POST", "/acme/tg.git/info/lfs/objects/batch", `{"operation":"`+operation+`","objects":[{"oid":"`+oid+`","size":5}]}`)
		m := regexp.MustCompile(`"href":"http://example.com([^"]*signature=[^"]*)"`).FindStringSubmatch(w.Body.String())
		if m == nil {
			t.Fatalf("no address: %s", w.Body)
		}
		return strings.ReplaceAll(m[1], `\u0026`, "&")
	}
	const stored = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
	const new_ = "f33ae3bc9a22cd7564990a794789954409977013966fb1a8f43c35776b833a95" // of "54321"
	public, annas, bobs := href("", "download", stored), href("hf_local", "download", stored), href("hf_bob", "upload", new_)
	if as(s, "", "GET", public, "").Code != 200 || as(s, "", "GET", annas, "").Code != 200 {
		t.Fatal("an object of a public repository is not given out")
	}
	as(s, "hf_local", "PUT", "/api/models/acme/tg/settings", `{"visibility":"private"}`)
	if w := as(s, "", "GET", public, ""); w.Code != 403 {
		t.Errorf("after the repository became private, an address made for everyone: %d", w.Code)
	}
	if w := as(s, "", "GET", annas, ""); w.Code != 200 {
		t.Errorf("after the repository became private, an address made for a writer: %d", w.Code)
	}
	if w := as(s, "", "GET", strings.Replace(public, "for=&", "for=anna&", 1), ""); w.Code != 403 {
		t.Errorf("an address with another name in it: %d", w.Code)
	}
	s.config.Tokens = s.config.Tokens[:1]
	if w := as(s, "", "PUT", bobs, "54321"); w.Code != 403 {
		t.Errorf("an address of somebody who has no token any more: %d", w.Code)
	}
	as(s, "hf_local", "DELETE", "/api/repos/delete", `{"name":"acme/tg"}`)
	if w := as(s, "", "GET", annas, ""); w.Code != 403 {
		t.Errorf("an address of a deleted repository: %d", w.Code)
	}
}

// TestCardNames holds that a card names nothing that the page names, whatever it
// holds.
func TestCardNames(t *testing.T) {
	names := regexp.MustCompile(`\bid="([^"]*)"`)
	pages, err := filepath.Glob("web/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	var card strings.Builder
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range names.FindAllStringSubmatch(string(b), -1) {
			if strings.HasPrefix(m[1], idPrefix) {
				t.Errorf("%s names %q, which a card may do too", page, m[1])
			}
			for _, element := range []string{"p", "pre", "h2", "div", "span", "a", "img", "td", "details", "blockquote", "map"} {
				fmt.Fprintf(&card, "<%s id=%q name=%q class=%q data-copy=%q for=%q>x</%s>\n\n", element, m[1], m[1], m[1], m[1], m[1], element)
			}
			fmt.Fprintf(&card, "# %s\n\n## x {#%s}\n\n", m[1], m[1])
		}
	}
	out := string(newMarkdown().render([]byte(card.String()), "", ""))
	for _, m := range regexp.MustCompile(`\b(id|name|class|for|data-copy)="([^"]*)"`).FindAllStringSubmatch(out, -1) {
		if m[1] != "id" || !strings.HasPrefix(m[2], idPrefix) {
			if m[0] != `class="table"` {
				t.Errorf("the card has %s", m[0])
			}
		}
	}
	if strings.Count(out, `id="`) == 0 {
		t.Error("headings have no names")
	}
}
