//go:build unix

package hubserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/storage/storagetest"
)

// TestFullDisk makes every change of the Hub while there is room for files of so
// many bytes only, which makes another of its writes the first to fail each time.
// Either all of a change is there or nothing, and it can be made again.
func TestFullDisk(t *testing.T) {
	if !storagetest.OwnProcess(t) {
		return
	}
	large := strings.Repeat("large", 300_000) // LFS stores it
	sum := sha256.Sum256([]byte("by hash"))
	oid := hex.EncodeToString(sum[:])
	changes := []struct {
		name, method, target, body string
		again                      int // its status where it was made already
	}{
		{"create", "POST", "/api/repos/create", `{"name":"acme/other"}`, 409},
		{"commit", "POST", "/api/models/acme/tg/commit/main", header + line("README.md", "# new") + line("a/b/c.txt", strings.Repeat("text", 2000)) + line("big.bin", large), 200},
		{"tag", "POST", "/api/models/acme/tg/tag/main", `{"tag":"v1","message":"a tag"}`, 409},
		{"branch", "POST", "/api/models/acme/tg/branch/dev", `{}`, 409},
		{"settings", "PUT", "/api/models/acme/tg/settings", `{"private":true}`, 200},
		{"duplicate", "POST", "/api/models/acme/tg/duplicate", `{"repository":"acme/copy"}`, 409},
		{"squash", "POST", "/api/models/acme/tg/super-squash/main", `{"message":"one"}`, 200},
		{"move", "POST", "/api/repos/move", `{"fromRepo":"acme/tg","toRepo":"acme/moved"}`, 404},
		{"LFS upload", "POST", "/acme/tg/info/lfs/objects/batch", fmt.Sprintf(`{"operation":"upload","objects":[{"oid":%q,"size":7}]}`, oid), 200},
	}
	refused := 0
	for _, c := range changes {
		for _, n := range []uint64{0, 30, 60, 100, 140, 200, 500, 2000, 200_000} {
			name := fmt.Sprintf("%s with room for files of %d bytes", c.name, n)
			dir := t.TempDir()
			s := newServer(t, Config{Dir: dir})
			must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
			must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("README.md", "# old")+line("old.bin", large))
			release := storagetest.Room(t, n)
			w := call(s, c.method, c.target, strings.NewReader(c.body))
			if w.Code == 200 && c.name == "LFS upload" {
				_, after, _ := strings.Cut(w.Body.String(), `"href":"`)
				address, _, _ := strings.Cut(after, `"`)
				if i := strings.Index(address, "/_lfs/"); i >= 0 {
					w = call(s, http.MethodPut, strings.ReplaceAll(address[i:], `\u0026`, "&"), strings.NewReader("by hash"))
				}
			}
			release()
			switch {
			case w.Code == http.StatusInsufficientStorage:
				refused++
			case w.Code >= 400:
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
			if found, err := Check(t.Context(), dir, false); err != nil || len(found) > 0 {
				t.Errorf("%s: %d leaves %v, %v", name, w.Code, found, err)
			}
			unfinished(t, name, dir)
			// Another process finds the same, and makes the change.
			s = newServer(t, Config{Dir: dir})
			if damaged := s.Damaged(); len(damaged) > 0 {
				t.Errorf("%s: %d leaves %v", name, w.Code, damaged)
			}
			again := call(s, c.method, c.target, strings.NewReader(c.body))
			if again.Code != 200 && !(w.Code == 200 && again.Code == c.again) {
				t.Errorf("%s: %d, and with room again %d %s", name, w.Code, again.Code, again.Body)
			}
			if w.Code == 200 {
				break // there was room for all of it
			}
		}
	}
	if refused < 15 {
		t.Errorf("only %d changes were refused: this test has shown little", refused)
	}
}

// unfinished reports files that a change left which failed.
func unfinished(t *testing.T, name, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if base := d.Name(); strings.HasPrefix(base, "tmp_obj_") || strings.HasPrefix(base, ".upload-") || strings.HasPrefix(base, ".new-") {
			t.Errorf("%s: %s is left", name, path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
