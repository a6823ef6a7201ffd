package hubserver

import (
	"encoding/json"
	"html"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const testCard = `---
license: mit
tags: [polymers, <b>]
---
# Tg

# Tg

|||
|-|-|
|k|v|

[here](#tg) [config](config.json) [deep](a%20b/x.txt) [out](https://example.org/) [up](../../../etc/passwd)
![plot](plots/p.png)

<script>alert(1)</script><img src="plots/p.png" onerror="alert(2)"><a href="javascript:alert(3)">x</a>
<img src="https://example.org/track.png"><style>body{}</style><iframe src="x"></iframe>
`

// newPages is a Hub under /hub with a public and a private repository.
func newPages(t *testing.T, c Config) *Server {
	c.Prefix, c.Tokens = "/hub", anna
	s := newServer(t, c)
	write := func(target, body string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/hub"+target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer hf_local")
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != 200 {
			t.Fatalf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	write("/api/repos/create", `{"name":"acme/tg"}`)
	write("/api/repos/create", `{"name":"acme/secret","private":true}`)
	write("/api/models/acme/tg/commit/main", `{"key":"header","value":{"summary":"first <b>","description":"why"}}`+"\n"+
		line("README.md", testCard)+line("config.json", "{}")+line("a b/x.txt", "text & <i>")+line("a b/#1.md", "[x](x.txt)")+
		line("plots/p.png", "\x89PNG")+line("t.csv", "a,b\n1,<u>\n")+line("broken.csv", "a,\"b\n1")+line("empty.txt", "")+line("w.bin", "\x00\x01")+
		line("large.csv", "a,b\n"+strings.Repeat("1,2\n", maxBlob/2)))
	write("/api/models/acme/tg/tag/main", `{"tag":"v1.0.0"}`)
	write("/api/models/acme/tg/branch/dev%2Fone", `{}`)
	write("/api/models/acme/tg/commit/dev%2Fone", header+line("config.json", "{ }")+`{"key":"deletedFile","value":{"path":"t.csv"}}`)
	return s
}

// TestPages follows every link there is from the first page on: each leads to a
// page or a file, and no page runs or loads what it may not.
func TestPages(t *testing.T) {
	s := newPages(t, Config{})
	links := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	seen := map[string]bool{"/hub/": true}
	for queue := []string{"/hub/"}; len(queue) > 0; queue = queue[1:] {
		w := call(s, "GET", queue[0], nil)
		if queue[0] == "/hub/acme/tg/blob/dev%2Fone/t.csv" { // the file is not on this branch
			if !strings.Contains(w.Body.String(), "/hub/acme/tg/tree/dev%2Fone") {
				t.Errorf("%s does not lead on", queue[0])
			}
			continue
		}
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", queue[0], w.Code, w.Body)
			continue
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		if got := w.Header().Get("Content-Security-Policy"); got != pagePolicy {
			t.Errorf("%s: policy %q", queue[0], got)
		}
		body := w.Body.String()
		for _, bad := range []string{"<script", "onerror", "javascript:", "<iframe", "<b>]", "<i>", "<u>", "secret", "first <b>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", queue[0], bad)
			}
		}
		for _, m := range links.FindAllStringSubmatch(body, -1) {
			link, _, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			u, err := url.Parse(link)
			switch {
			case err != nil:
				t.Errorf("%s links to %q: %v", queue[0], link, err)
			case u.Scheme != "" || link == "" || strings.Contains(link, "etc/passwd"):
			case !strings.HasPrefix(link, "/hub/"):
				t.Errorf("%s links to %q", queue[0], link)
			case !seen[link]:
				seen[link] = true
				queue = append(queue, link)
			}
		}
	}
	for _, want := range []string{
		"/hub/acme/tg", "/hub/acme/tg?revision=v1.0.0", "/hub/acme/tg/tree/dev%2Fone", "/hub/acme/tg/blob/main/config.json",
		"/hub/acme/tg/blob/main/a%20b/x.txt", "/hub/acme/tg/blob/main/a%20b/%231.md", "/hub/acme/tg/resolve/main/plots/p.png",
		"/hub/acme/tg/resolve/main/w.bin?download=true", "/hub/acme/tg/commits/main", "/hub/acme/tg/refs", "/hub" + stylePath, "/hub/_assets/plain.css",
	} {
		if !seen[want] {
			t.Errorf("no link leads to %s", want)
		}
	}
}

// TestPageContent holds that a file is shown as what it is.
func TestPageContent(t *testing.T) {
	s := newPages(t, Config{})
	for target, want := range map[string]string{
		"/hub/acme/tg":                            `<h2 id="card-tg">Tg</h2>`,
		"/hub/acme/tg?revision=dev/one":           "Revision <b>dev/one</b>",
		"/hub/acme/tg/blob/main/a%20b/x.txt":      "text &amp; &lt;i&gt;",
		"/hub/acme/tg/blob/main/a%20b/%231.md":    `href="/hub/acme/tg/blob/main/a%20b/x.txt"`,
		"/hub/acme/tg/blob/main/t.csv":            "<td>1</td><td>&lt;u&gt;</td>",
		"/hub/acme/tg/blob/main/broken.csv":       "a,&#34;b",
		"/hub/acme/tg/blob/main/large.csv":        "The beginning only",
		"/hub/acme/tg/blob/main/empty.txt":        "The file is empty.",
		"/hub/acme/tg/blob/main/w.bin":            "This file is not text.",
		"/hub/acme/tg/commits/dev%2Fone":          "first &lt;b&gt;",
		"/hub/acme/tg/commit/dev%2Fone":           "<td>deleted</td>",
		"/hub/acme/tg/tree/main/a%20b":            "x.txt",
		"/hub/models/acme/tg/tree/main":           "config.json", // as clients are told
		"/hub/api/models?search=TG":               `"id":"acme/tg"`,
		"/hub/acme/tg/resolve/main/t.csv?x=large": "1,<u>",
	} {
		if w := call(s, "GET", target, nil); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, without %q:\n%s", target, w.Code, want, w.Body)
		}
	}
	if body := call(s, "GET", "/hub/acme/tg", nil).Body.String(); !strings.Contains(body, `<h2 id="card-tg-1">`) || !strings.Contains(body, `href="#card-tg"`) ||
		strings.Count(body, "<img ") != strings.Count(body, " alt=") || strings.Count(body, "<h1") != 1 ||
		strings.Contains(body, "<thead") || !strings.Contains(body, `<div class="table" tabindex="0"><table>`) {
		t.Errorf("the card's headings and images are not fit for a page: %s", body)
	}
	if w := call(s, "GET", "/hub/acme/tg/resolve/main/t.csv?download=true", nil); !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("a download says %q", w.Header().Get("Content-Disposition"))
	}
	for target, status := range map[string]int{
		"/hub/acme/none": 401, "/hub/acme/secret": 401, "/hub/acme/tg/tree/v9": 404, "/hub/acme/tg/blob/main/nope": 404,
		"/hub/acme/tg/tree/main/nope": 404, "/hub/acme/tg/": 302, "/hub/acme//tg": 404, "/hub//": 302, "/hub/acme/../acme/tg": 404, "/hub/acme/tg/blob/main/..%2f..%2fHEAD": 404, "/hub/_assets/layout.html": 404,
	} {
		if w := call(s, "GET", target, nil); w.Code != status {
			t.Errorf("%s: %d, want %d", target, w.Code, status)
		}
	}
}

// TestValidateYAML holds that clients learn of a broken card before they commit it.
func TestValidateYAML(t *testing.T) {
	s := newServer(t, Config{})
	for card, ok := range map[string]bool{
		"---\nlicense: mit\n---\n# x": true, "# no metadata": true, "": true, "---\n---\n": true,
		"---\ntags: [a\n---\n": false, "---\na: b: c\n---\n": false, "---\n- a\n---\n": false,
	} {
		body, err := json.Marshal(map[string]string{"content": card, "repoType": "model"})
		if err != nil {
			t.Fatal(err)
		}
		var out struct{ Errors []struct{ Message string } }
		w := must(t, s, "POST", "/api/validate-yaml", string(body))
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || (len(out.Errors) == 0) != ok {
			t.Errorf("%q: %s", card, w.Body)
		}
	}
}

// TestFrame holds that what draws around the pages gets all of them, refusals too,
// and that these say where to log in.
func TestFrame(t *testing.T) {
	type drawn struct {
		status      int
		title, body string
	}
	var got []drawn
	s := newPages(t, Config{
		Login: "/login",
		Frame: func(w http.ResponseWriter, _ *http.Request, status int, title string, body template.HTML) error {
			got = append(got, drawn{status, title, string(body)})
			w.WriteHeader(status)
			return nil
		},
	})
	for _, want := range []struct {
		target, title, body string
		status              int
	}{
		{"/hub/", "Hub", `href="/login?next=%2Fhub%2F"`, 200},
		{"/hub/acme/tg", "acme/tg", "data-copy", 200},
		{"/hub/acme/secret/tree/main?x=1", "Not found", `href="/login?next=%2Fhub%2Facme%2Fsecret%2Ftree%2Fmain%3Fx%3D1"`, 401},
		{"/hub/no/such/page", "Not found", "nothing at this address", 404},
	} {
		got = nil
		r := httptest.NewRequest(http.MethodGet, want.target, nil)
		r.Header.Set("Accept", "text/html,*/*")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if len(got) != 1 || w.Code != want.status || got[0].status != want.status || got[0].title != want.title ||
			!strings.Contains(got[0].body, want.body) || strings.Contains(got[0].body, "<html") {
			t.Errorf("%s: %d, framed %+v", want.target, w.Code, got)
		}
	}
	if w := call(s, "GET", "/hub/no/such/page", nil); w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("a client that is no browser gets %s", w.Header().Get("Content-Type"))
	}
}

// TestKind holds that no file of a repository can be a script or a style of a page.
func TestKind(t *testing.T) {
	for name, want := range map[string]string{
		"a.js": "text/plain", "a.mjs": "text/plain", "a.es": "text/plain", "a.JS": "text/plain", "a.cjs": "text/plain", "a.jsx": "text/plain", "a.xhtml": "text/plain", "a.xml": "text/plain", "a.htm": "text/plain", "a.wasm": "application/octet-stream", "a.swf": "application/octet-stream", "a.appcache": "application/octet-stream", "a.vbs": "application/octet-stream", "a.html": "text/plain", "a.css": "text/plain", "README.md": "text/plain",
		"a.svg": "image/svg+xml", "a.png": "image/png", "a.json": "application/json", "a.safetensors": "application/octet-stream", "a": "application/octet-stream",
	} {
		if got, _, _ := strings.Cut(kindOf(name), ";"); got != want {
			t.Errorf("%s is served as %s, want %s", name, got, want)
		}
	}
}

// TestSession holds that a browser's session reads all and changes nothing.
func TestSession(t *testing.T) {
	s := newPages(t, Config{Session: func(r *http.Request) (Caller, bool) {
		_, err := r.Cookie("session")
		return Caller{All: true}, err == nil
	}})
	do := func(method, target, body string) int {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.AddCookie(&http.Cookie{Name: "session", Value: "x"})
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	if got := do("GET", "/hub/acme/secret", ""); got != 200 {
		t.Errorf("a private page: %d", got)
	}
	if got := do("POST", "/hub/api/models/acme/secret/tag/main", `{"tag":"x"}`); got != 401 {
		t.Errorf("a change: %d", got)
	}
	if got := do("DELETE", "/hub/api/repos/delete", `{"name":"acme/tg"}`); got != 401 {
		t.Errorf("a deletion: %d", got)
	}
}
