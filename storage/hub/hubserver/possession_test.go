package hubserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestPossession holds that who knows the hash of another's private content cannot
// have it: a commit may name only what was uploaded to its repository, or what its
// author may read. An upload of the same content is asked for, and then it may.
func TestPossession(t *testing.T) {
	people := map[string]Caller{"a": {Name: "anna", Write: true}, "b": {Name: "bob", Write: true}}
	s := newServer(t, Config{
		Tokens: anna, PartSize: 4,
		Find: func(secret string) (Caller, bool) { c, ok := people[secret]; return c, ok },
		Named: func(name string) (Caller, bool) {
			for _, c := range people {
				if c.Name == name {
					return c, true
				}
			}
			return Caller{}, false
		},
	})
	do := func(token, method, target, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	const content = "the private weights"
	sum := sha256.Sum256([]byte(content))
	oid := hex.EncodeToString(sum[:])
	batch := func(token, repo, operation, transfers string) string {
		return do(token, "POST", "/"+repo+"/info/lfs/objects/batch", fmt.Sprintf(`{"operation":%q,"transfers":[%s],"objects":[{"oid":%q,"size":%d}]}`, operation, transfers, oid, len(content))).Body.String()
	}
	upload := func(token, repo, body string) int {
		answer := batch(token, repo, "upload", `"basic"`)
		_, rest, _ := strings.Cut(answer, `"href":"`)
		address, _, _ := strings.Cut(rest, `"`)
		u, err := url.Parse(strings.ReplaceAll(address, `\u0026`, "&"))
		if err != nil || u.Path == "" {
			t.Fatalf("no upload to %s is offered: %s", repo, answer)
		}
		return do("", http.MethodPut, u.RequestURI(), body).Code
	}
	byHash := func(token, repo string) int {
		return do(token, "POST", "/api/models/"+repo+"/commit/main", header+fmt.Sprintf(`{"key":"lfsFile","value":{"path":"w.bin","algo":"sha256","oid":%q,"size":%d}}`, oid, len(content))+"\n").Code
	}
	byPointer := func(token, repo string) int {
		return do(token, "POST", "/api/models/"+repo+"/commit/main", header+line("w.bin", string(pointer{oid, int64(len(content))}.encode()))).Code
	}
	for token, repo := range map[string]string{"a": "anna/mine", "b": "bob/his"} {
		if w := do(token, "POST", "/api/repos/create", `{"name":"`+repo+`","private":`+fmt.Sprint(token == "b")+`}`); w.Code != 200 {
			t.Fatalf("%s: %d %s", repo, w.Code, w.Body)
		}
	}
	if code := upload("b", "bob/his", content); code != 200 {
		t.Fatalf("bob's upload: %d", code)
	}
	if code := byHash("b", "bob/his"); code != 200 {
		t.Fatalf("bob's commit: %d", code)
	}
	if code := byHash("a", "anna/mine"); code != 400 {
		t.Errorf("anna's commit by the hash alone: %d, want 400", code)
	}
	if code := byPointer("a", "anna/mine"); code != 400 {
		t.Errorf("anna's commit of a pointer: %d, want 400", code)
	}
	if answer := batch("a", "anna/mine", "download", `"basic"`); strings.Contains(answer, `"actions"`) {
		t.Errorf("anna may download %s", answer)
	}
	if code := upload("a", "anna/mine", "another content 1"); code == 200 {
		t.Error("other content is taken for an upload")
	}
	answer := batch("a", "anna/mine", "upload", `"multipart"`)
	_, rest, _ := strings.Cut(answer, `"upload":{`)
	_, rest, _ = strings.Cut(rest, `"href":"`)
	address, _, _ := strings.Cut(rest, `"`)
	if u, err := url.Parse(strings.ReplaceAll(address, `\u0026`, "&")); err != nil || u.Path == "" {
		t.Errorf("no upload in parts is offered: %s", answer)
	} else if w := do("", "POST", u.RequestURI(), `{"oid":"`+oid+`","parts":[`+strings.TrimSuffix(strings.Repeat(`{"partNumber":1,"etag":"x"},`, 5), ",")+`]}`); w.Code == 200 {
		t.Error("an upload whose parts never came is complete")
	}
	if code := byHash("a", "anna/mine"); code != 400 {
		t.Errorf("anna's commit after uploads that failed: %d, want 400", code)
	}
	// Whoever has the content may commit it, and whoever may read it may copy it.
	if code := upload("a", "anna/mine", content); code != 200 {
		t.Fatalf("anna's upload: %d", code)
	}
	if code := byHash("a", "anna/mine"); code != 200 {
		t.Errorf("anna's commit of what she uploaded: %d", code)
	}
	if w := do("b", "POST", "/api/repos/create", `{"name":"bob/copy"}`); w.Code != 200 {
		t.Fatal(w.Body)
	}
	if code := byPointer("b", "bob/copy"); code != 200 {
		t.Errorf("bob's copy of what he may read: %d", code)
	}
}
