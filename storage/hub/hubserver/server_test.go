package hubserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

func newServer(t *testing.T, c Config) *Server {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func call(s *Server, method, target string, body io.Reader) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, target, body))
	return w
}

func must(t *testing.T, s *Server, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := call(s, method, target, strings.NewReader(body))
	if w.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
	return w
}

// anna holds the only token.
var anna = []Token{{Name: "anna", Secret: "hf_local"}}

const header = `{"key":"header","value":{"summary":"s"}}` + "\n"

func line(path, content string) string {
	return fmt.Sprintf(`{"key":"file","value":{"content":%q,"path":%q,"encoding":"base64"}}`+"\n",
		base64.StdEncoding.EncodeToString([]byte(content)), path)
}

// TestGit holds that what commits leave is what git itself calls sound.
func TestGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("a.b", "1")+line("a/b", "2")+line("a0", "3")+line("x/y/z.bin", "4"))
	must(t, s, "POST", "/api/models/acme/tg/tag/main", `{"tag":"v1","message":"m"}`)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+`{"key":"deletedFolder","value":{"path":"x/"}}`)
	dir := filepath.Join(s.reposDir(), "acme", "tg.git")
	if out, err := exec.Command(git, "--git-dir", dir, "fsck", "--strict", "--full").CombinedOutput(); err != nil {
		t.Fatalf("git fsck: %v\n%s", err, out)
	}
	out, err := exec.Command(git, "--git-dir", dir, "ls-tree", "-r", "--name-only", "v1").CombinedOutput()
	if want := ".gitattributes\na.b\na/b\na0\nx/y/z.bin\n"; err != nil || string(out) != want {
		t.Fatalf("files at v1: %v\n%s", err, out)
	}
}

// TestPersist opens the directory anew, and with it what was there.
func TestPersist(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, Config{Dir: dir})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("a", "hello"))
	unfinished := filepath.Join(dir, "lfs", ".upload-1")
	if err := os.WriteFile(unfinished, []byte("unfinished"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = newServer(t, Config{Dir: dir})
	if w := must(t, s, "GET", "/acme/tg/resolve/main/a", ""); w.Body.String() != "hello" {
		t.Errorf("a is %q", w.Body)
	}
	if _, err := os.Stat(unfinished); !os.IsNotExist(err) {
		t.Error("an unfinished upload is still there")
	}
}

// TestRange holds the headers that clients cannot do without, and ranges.
func TestRange(t *testing.T) {
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("a.bin", "0123456789")+line("a.txt", "0123456789"))
	for _, name := range []string{"a.bin", "a.txt"} {
		r := httptest.NewRequest(http.MethodGet, "/acme/tg/resolve/main/"+name, nil)
		r.Header.Set("Range", "bytes=4-")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusPartialContent || w.Body.String() != "456789" {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
		w = call(s, "HEAD", "/acme/tg/resolve/main/"+name, nil)
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Length") != "10" || h.Get("Etag") == "" || !commitPattern.MatchString(h.Get("X-Repo-Commit")) {
			t.Errorf("%s: %d %v", name, w.Code, h)
		}
	}
}

// TestRefusals holds that what may not be is refused, with the code that
// clients dispatch on, and leaves nothing behind outside the repositories.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, Config{Dir: filepath.Join(dir, "hub"), MaxFile: 2 << 20})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("a", "1"))
	const commit = "/api/models/acme/tg/commit/main"
	oid := strings.Repeat("0", 64)
	pointerText := string(pointer{oid, 5}.encode())
	for _, c := range []struct {
		name, method, target, body string
		status                     int
		code                       string
	}{
		{"no repository", "GET", "/api/models/acme/none", "", 404, "RepoNotFound"},
		{"no revision", "GET", "/api/models/acme/tg/revision/v9", "", 404, "RevisionNotFound"},
		{"no file", "GET", "/acme/tg/resolve/main/b", "", 404, "EntryNotFound"},
		{"no call", "GET", "/api/agent-harnesses", "", 404, ""},
		{"bad repository", "POST", "/api/repos/create", `{"name":"../x"}`, 400, ""},
		{"another type", "POST", "/api/repos/create", `{"name":"x","type":"dataset"}`, 400, ""},
		{"escape by repository", "GET", "/api/models/..%2f..%2fetc/passwd", "", 404, "RepoNotFound"},
		{"escape by revision", "GET", "/api/models/acme/tg/revision/..%2f..%2f..%2fHEAD", "", 404, "RevisionNotFound"},
		{"escape by file", "GET", "/acme/tg/resolve/main/..%2f..%2f..%2fsettings.json", "", 404, "EntryNotFound"},
		{"escape by commit", "POST", commit, header + line("../../x", "1"), 400, ""},
		{"git folder", "POST", commit, header + line(".git/config", "1"), 400, ""},
		{"escape by tag", "POST", "/api/models/acme/tg/tag/main", `{"tag":"../../../x"}`, 400, ""},
		{"escape by branch", "POST", "/api/models/acme/tg/branch/..%2f..%2f..%2fx", `{}`, 400, ""},
		{"main deleted", "DELETE", "/api/models/acme/tg/branch/main", "", 403, ""},
		{"no header", "POST", commit, line("x", "1"), 400, ""},
		{"no commit", "POST", commit, "", 400, ""},
		{"broken off", "POST", commit, header + `{"key":"file","value":{"content":"AAAA`, 400, ""},
		{"not base64", "POST", commit, header + `{"key":"file","value":{"content":"A!==","path":"x","encoding":"base64"}}`, 400, ""},
		{"more than base64", "POST", commit, header + `{"key":"file","value":{"content":"AA==AAAA","path":"x","encoding":"base64"}}`, 400, ""},
		{"two contents", "POST", commit, header + `{"key":"file","value":{"content":"","content":"","path":"x","encoding":"base64"}}`, 400, ""},
		{"file and folder", "POST", commit, header + line("a/b", "1"), 400, ""},
		{"stale parent", "POST", commit, `{"key":"header","value":{"summary":"s","parentCommit":"` + strings.Repeat("0", 40) + `"}}`, 412, ""},
		{"object not there", "POST", commit, header + `{"key":"lfsFile","value":{"path":"x","algo":"sha256","oid":"` + oid + `","size":5}}`, 400, ""},
		{"pointer to nothing", "POST", commit, header + line("x", pointerText), 400, ""},
		{"too large", "POST", commit, header + line("x", strings.Repeat("x", 2<<20+1)), 413, ""},
		{"long line", "POST", commit, `{"key":"header","value":{"summary":"` + strings.Repeat("x", maxLine) + `"}}`, 400, ""},
		{"unsigned upload", "PUT", "/_lfs/acme/tg/objects/" + oid + "?size=5&until=99999999999&signature=00", "12345", 403, ""},
	} {
		w := call(s, c.method, c.target, strings.NewReader(c.body))
		if w.Code != c.status || w.Header().Get("X-Error-Code") != c.code {
			t.Errorf("%s: %d %q %s, want %d %q", c.name, w.Code, w.Header().Get("X-Error-Code"), w.Body, c.status, c.code)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("beside the Hub's directory there is now %v (%v)", list, err)
	}
	if w := must(t, s, "GET", "/acme/tg/resolve/main/a", ""); w.Body.String() != "1" {
		t.Errorf("a is %q", w.Body)
	}
}

// TestUnchanged holds that a client learns of a file that is there already,
// however it is stored, and of no other.
func TestUnchanged(t *testing.T) {
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	large := strings.Repeat("x", maxBlob+1)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("small.txt", "12345")+line("large.txt", large))
	var out struct {
		Files []struct{ Path, OID string }
	}
	ask := fmt.Sprintf(`{"files":[{"path":"small.txt","size":5},{"path":"large.txt","size":%d},{"path":"new.txt","size":5}]}`, len(large))
	if err := json.Unmarshal(must(t, s, "POST", "/api/models/acme/tg/preupload/main", ask).Body.Bytes(), &out); err != nil || len(out.Files) != 3 {
		t.Fatal(err, out)
	}
	for i, want := range []string{
		plumbing.ComputeHash(plumbing.BlobObject, []byte("12345")).String(), plumbing.ComputeHash(plumbing.BlobObject, []byte(large)).String(), "",
	} {
		if got := out.Files[i]; got.OID != want {
			t.Errorf("%s: %q, want %q", got.Path, got.OID, want)
		}
	}
	if err := os.RemoveAll(s.blobs.dir); err != nil {
		t.Fatal(err)
	}
	if body := must(t, s, "POST", "/api/models/acme/tg/preupload/main", ask).Body.String(); strings.Count(body, `"oid"`) != 1 {
		t.Errorf("with the large content lost: %s", body)
	}
}

// TestAddresses holds that clients are told addresses of the kind they use.
func TestAddresses(t *testing.T) {
	s := newServer(t, Config{Prefix: "/hub"})
	for proto, want := range map[string]string{"": `"http://example.com/hub/models/acme/a"`, "https": `"https://example.com/hub/models/acme/a"`} {
		r := httptest.NewRequest(http.MethodPost, "/hub/api/repos/create", strings.NewReader(`{"name":"acme/a"}`))
		r.Header.Set("X-Forwarded-Proto", proto)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); !strings.Contains(w.Body.String(), want) {
			t.Errorf("through %q: %s", proto, w.Body)
		}
	}
}

// TestUpload holds that an upload address is good for what it was signed for only.
func TestUpload(t *testing.T) {
	s := newServer(t, Config{})
	o := lfsObject{"5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5", 5} // of "12345"
	target := "/_lfs/acme/tg/objects/" + o.OID + "?"
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/other"}`)
	grant := s.grant("upload", "acme/tg", o, time.Now().Add(time.Hour), "anna")
	for name, c := range map[string]struct {
		query, body string
		status      int
	}{
		"other content": {grant, "54321", 400},
		"too long":      {grant, "123456", 413},
		"too short":     {grant, "1234", 400},
		"other size":    {strings.Replace(grant, "size=5", "size=6", 1), "12345", 403},
		"expired":       {s.grant("upload", "acme/tg", o, time.Now().Add(-time.Hour), "anna"), "12345", 403},
		"other place":   {s.grant("upload", "acme/other", o, time.Now().Add(time.Hour), "anna"), "12345", 403},
	} {
		if w := call(s, "PUT", target+c.query, strings.NewReader(c.body)); w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
	if _, ok := s.blobs.size(o.OID); ok {
		t.Error("something was stored")
	}
	must(t, s, "PUT", target+grant, "12345")
	if n, ok := s.blobs.size(o.OID); !ok || n != 5 {
		t.Errorf("stored %d bytes, %t", n, ok)
	}
}

// TestParts holds that parts make an object only if they are what they should be.
func TestParts(t *testing.T) {
	s := newServer(t, Config{PartSize: 2})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	const oid = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5" // of "12345"
	batch := `{"operation":"upload","transfers":["basic","multipart"],"objects":[{"oid":"` + oid + `","size":5}]}`
	var out struct {
		Transfer string
		Objects  []struct {
			Actions struct {
				Upload struct {
					Href   string
					Header map[string]string
				}
			}
		}
	}
	w := must(t, s, "POST", "/acme/tg.git/info/lfs/objects/batch", batch)
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Transfer != "multipart" || len(out.Objects) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	upload := out.Objects[0].Actions.Upload
	put := func(part, body string) int {
		return call(s, "PUT", strings.TrimPrefix(upload.Header[part], "http://example.com"), strings.NewReader(body)).Code
	}
	complete := func(numbers ...int) int {
		parts := []string{}
		for _, n := range numbers {
			parts = append(parts, fmt.Sprintf(`{"partNumber":%d,"etag":"x"}`, n))
		}
		body := fmt.Sprintf(`{"oid":%q,"parts":[%s]}`, oid, strings.Join(parts, ","))
		return call(s, "POST", strings.TrimPrefix(upload.Href, "http://example.com"), strings.NewReader(body)).Code
	}
	if len(upload.Header) != 4 || upload.Header["chunk_size"] != "2" {
		t.Fatalf("the parts offered are %v", upload.Header)
	}
	if put("00001", "12") != 200 || put("00002", "xx") != 200 || put("00001", "1") != 400 || put("00003", "56") != 413 || put("00003", "5") != 200 {
		t.Error("parts are not taken by their length")
	}
	if complete(1, 2) != 400 || complete(1, 3, 2) != 400 || complete(1, 2, 3) != 400 {
		t.Error("parts that are missing, out of order or wrong were taken")
	}
	forged := strings.Replace(strings.TrimPrefix(upload.Header["00002"], "http://example.com"), "/parts/2", "/parts/4", 1)
	if w := call(s, "PUT", forged, strings.NewReader("x")); w.Code != 400 {
		t.Errorf("a part too many: %d", w.Code)
	}
	if _, ok := s.blobs.size(oid); ok {
		t.Error("something was stored")
	}
	if put("00002", "34") != 200 || complete(1, 2, 3) != 200 || complete(1, 2, 3) != 200 {
		t.Error("the parts were not taken")
	}
	if n, ok := s.blobs.size(oid); !ok || n != 5 {
		t.Errorf("stored %d bytes, %t", n, ok)
	}
	if left, err := filepath.Glob(filepath.Join(s.blobs.dir, partsDir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// TestDownload holds that an object is given out to those who may read a
// repository that has it, at an address made for it.
func TestDownload(t *testing.T) {
	s := newServer(t, Config{Tokens: anna})
	do := func(token, method, target, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		if token != "" {
			r.SetBasicAuth("user", token)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	for _, repo := range []string{`{"name":"acme/tg","private":true}`, `{"name":"acme/open"}`} {
		do("hf_local", "POST", "/api/repos/create", repo)
	}
	do("hf_local", "POST", "/api/models/acme/tg/commit/main", header+line("a.bin", "12345"))
	batch := `{"operation":"download","objects":[{"oid":"5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5","size":5}]}`
	if w := do("", "POST", "/acme/tg.git/info/lfs/objects/batch", batch); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("anonymous batch of a private repository: %d %v", w.Code, w.Header())
	}
	if w := do("", "POST", "/acme/open.git/info/lfs/objects/batch", batch); w.Code != 200 || strings.Contains(w.Body.String(), "href") {
		t.Errorf("object of another repository: %d %s", w.Code, w.Body)
	}
	w := do("hf_local", "POST", "/acme/tg.git/info/lfs/objects/batch", batch)
	var out struct {
		Objects []struct {
			Actions struct{ Download struct{ Href string } }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Objects) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	href := strings.TrimPrefix(out.Objects[0].Actions.Download.Href, "http://example.com")
	if w := do("", "GET", href, ""); w.Body.String() != "12345" {
		t.Errorf("download: %d %s", w.Code, w.Body)
	}
	for name, c := range map[string][2]string{"as an upload": {"PUT", href}, "elsewhere": {"GET", strings.Replace(href, "/tg/", "/open/", 1)}} {
		if w := do("", c[0], c[1], "12345"); w.Code != 403 {
			t.Errorf("the address of a download used %s: %d", name, w.Code)
		}
	}
}

// TestLines reads a commit that arrives in pieces of any size.
func TestLines(t *testing.T) {
	content := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{}).Read(content)
	// Base64 may come with its slashes escaped; the last line without its end.
	text := header + "\n" + line("content", string(content)) +
		`{"key":"file","value":{"path":"b","encoding":"base64","content":"+\/+\/"}}`
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)), "halves": iotest.HalfReader(strings.NewReader(text)),
	} {
		s := newServer(t, Config{})
		must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
		if w := call(s, "POST", "/api/models/acme/tg/commit/main", r); w.Code != 200 {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		for path, want := range map[string]string{"content": string(content), "b": "\xfb\xff\xbf"} {
			if w := must(t, s, "GET", "/acme/tg/resolve/main/"+path, ""); w.Body.String() != want {
				t.Errorf("%s: %s differs", name, path)
			}
		}
	}
}

// TestFlatMemory commits a large file inline: the server holds little of it.
func TestFlatMemory(t *testing.T) {
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	const size = 96 << 20 // bytes of base64
	var peak, before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	chunk := bytes.Repeat([]byte("AAAA"), 1<<14)
	pieces := 0
	body := io.MultiReader(
		strings.NewReader(header+`{"key":"file","value":{"content":"`),
		io.LimitReader(readerFunc(func(p []byte) (int, error) {
			if pieces++; pieces%512 == 0 {
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				peak.HeapInuse = max(peak.HeapInuse, now.HeapInuse)
			}
			return copy(p, chunk), nil
		}), size),
		strings.NewReader(`","path":"a.csv","encoding":"base64"}}`))
	if w := call(s, "POST", "/api/models/acme/tg/commit/main", body); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if grown := int64(peak.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	if w := call(s, "HEAD", "/acme/tg/resolve/main/a.csv", nil); w.Header().Get("Content-Length") != fmt.Sprint(size/4*3) {
		t.Errorf("the file is %s bytes", w.Header().Get("Content-Length"))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
