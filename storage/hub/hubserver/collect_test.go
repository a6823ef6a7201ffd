package hubserver

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// whole reads every file of every revision of a repository.
func whole(t *testing.T, s *Server, repo string) (files int) {
	t.Helper()
	var refs struct{ Branches, Tags []refEntry }
	if err := json.Unmarshal(must(t, s, "GET", "/api/models/"+repo+"/refs", "").Body.Bytes(), &refs); err != nil {
		t.Fatal(err)
	}
	for _, ref := range append(refs.Branches, refs.Tags...) {
		var commits []struct{ ID string }
		if err := json.Unmarshal(must(t, s, "GET", "/api/models/"+repo+"/commits/"+ref.TargetCommit, "").Body.Bytes(), &commits); err != nil {
			t.Fatal(err)
		}
		for _, c := range commits {
			var tree []treeEntry
			if err := json.Unmarshal(must(t, s, "GET", "/api/models/"+repo+"/tree/"+c.ID+"?recursive=true", "").Body.Bytes(), &tree); err != nil {
				t.Fatal(err)
			}
			for _, e := range tree {
				if w := must(t, s, "GET", "/"+repo+"/resolve/"+c.ID+"/"+e.Path, ""); int64(w.Body.Len()) != e.Size {
					t.Errorf("%s at %s is %d bytes, not %d", e.Path, c.ID, w.Body.Len(), e.Size)
				}
				files++
			}
		}
	}
	return files
}

// ageAll makes all that is stored old.
func ageAll(t *testing.T, s *Server) (files int) {
	t.Helper()
	old := time.Now().Add(-48 * time.Hour)
	err := filepath.WalkDir(s.config.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		return os.Chtimes(name, old, old)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCollect(t *testing.T) {
	s := newServer(t, Config{})
	for _, repo := range []string{"acme/tg", "acme/gone", "acme/moved"} {
		must(t, s, "POST", "/api/repos/create", `{"name":"`+repo+`"}`)
		must(t, s, "POST", "/api/models/"+repo+"/commit/main", header+line("a.txt", "shared")+line("w.bin", "shared")+line("own.bin", repo))
	}
	const tg = "/api/models/acme/tg"
	must(t, s, "POST", tg+"/tag/main", `{"tag":"v1","message":"m"}`)
	must(t, s, "POST", tg+"/commit/main", header+line("w.bin", "newer")+`{"key":"deletedFile","value":{"path":"own.bin"}}`)
	for _, branch := range []string{"keep%2Fit", "drop"} {
		must(t, s, "POST", tg+"/branch/"+branch, `{}`)
		must(t, s, "POST", tg+"/commit/"+branch, header+line("b.bin", "on "+branch)+line("b.txt", "on "+branch))
	}
	if w := call(s, "POST", tg+"/commit/main", strings.NewReader(header+line("c.bin", "lost")+`{"key":"deletedFile","value":{"path":"nope"}}`)); w.Code != 404 {
		t.Fatalf("a commit that fails: %d %s", w.Code, w.Body)
	}
	must(t, s, "DELETE", tg+"/branch/drop", "")
	must(t, s, "DELETE", "/api/repos/delete", `{"name":"acme/gone"}`)
	must(t, s, "POST", "/api/repos/move", `{"fromRepo":"acme/moved","toRepo":"acme/there"}`)
	before := whole(t, s, "acme/tg") + whole(t, s, "acme/there")

	if done, err := s.Collect(t.Context(), time.Hour); err != nil || done.Files != 0 {
		t.Errorf("of what is young, %+v was collected (%v)", done, err)
	}
	files := ageAll(t, s)
	// A young commit that no branch leads to any more keeps what it leads to.
	must(t, s, "POST", tg+"/branch/young", `{}`)
	var young struct{ CommitOid string }
	w := must(t, s, "POST", tg+"/commit/young", header+line("y.txt", "young"))
	if err := json.Unmarshal(w.Body.Bytes(), &young); err != nil {
		t.Fatal(err)
	}
	must(t, s, "DELETE", tg+"/branch/young", "")
	done, err := s.Collect(t.Context(), time.Hour)
	if err != nil || done.Files == 0 || done.Bytes == 0 {
		t.Fatalf("collected %+v, %v", done, err)
	}
	must(t, s, "POST", tg+"/branch/young", `{"startingPoint":"`+young.CommitOid+`"}`)
	whole(t, s, "acme/tg")
	must(t, s, "DELETE", tg+"/branch/young", "")
	if after := whole(t, s, "acme/tg") + whole(t, s, "acme/there"); after != before {
		t.Errorf("%d files are left of %d", after, before)
	}
	for _, gone := range []string{"acme/gone", "on drop", "lost"} {
		if _, ok := s.blobs.size(fmt.Sprintf("%x", sha256.Sum256([]byte(gone)))); ok {
			t.Errorf("%q is still stored", gone)
		}
	}
	ageAll(t, s) // the young commit too
	if _, err := s.Collect(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if left := ageAll(t, s); left >= files {
		t.Errorf("%d files before, %d after", files, left)
	}
	if done, err := s.Collect(t.Context(), time.Hour); err != nil || done.Files != 0 {
		t.Errorf("a second collection found %+v (%v)", done, err)
	}
	whole(t, s, "acme/tg")
}

// TestCollectWhileUsed collects while commits use again what nothing led to.
func TestCollectWhileUsed(t *testing.T) {
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	const n = 40
	body := func(i int) string {
		return header + line(fmt.Sprintf("%d.bin", i), fmt.Sprint("large ", i)) + line(fmt.Sprintf("%d.txt", i), fmt.Sprint("small ", i))
	}
	for i := range n { // their contents stay, of no commit
		call(s, "POST", "/api/models/acme/tg/commit/main", strings.NewReader(body(i)+`{"key":"deletedFile","value":{"path":"nope"}}`))
	}
	ageAll(t, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 10 {
			if _, err := s.Collect(t.Context(), time.Hour); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := range n {
			if w := call(s, "POST", "/api/models/acme/tg/commit/main", strings.NewReader(body(i))); w.Code != http.StatusOK {
				t.Errorf("commit %d: %d %s", i, w.Code, w.Body)
			}
		}
	})
	wg.Wait()
	for i := range n {
		for name, want := range map[string]string{"bin": fmt.Sprint("large ", i), "txt": fmt.Sprint("small ", i)} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/acme/tg/resolve/main/%d.%s", i, name), nil))
			if w.Body.String() != want {
				t.Errorf("%d.%s: %d %q", i, name, w.Code, w.Body)
			}
		}
	}
}
