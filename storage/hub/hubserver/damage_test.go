package hubserver

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// damage does something to a file.
func damage(t *testing.T, name, how string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(name, 0o644)
	switch how {
	case "emptied":
		err = os.WriteFile(name, nil, 0o644)
	case "cut":
		err = os.WriteFile(name, b[:len(b)/2], 0o644)
	case "flipped":
		b[len(b)/2] ^= 0x10
		err = os.WriteFile(name, b, 0o644)
	case "replaced":
		err = os.WriteFile(name, []byte(strings.Repeat("0", 40)+"\n"), 0o644)
	case "removed":
		err = os.Remove(name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamage holds that damage to one repository hides nothing else, is named in
// the log and listed, and that it is repaired from the log or, without one, from
// the newest commit.
func TestDamage(t *testing.T) {
	for _, c := range []struct {
		name, file, how string
		logless         bool
		what            string // that is listed; nothing where a missing file leaves no trace to a server
		private         bool   // afterwards
	}{
		{name: "an empty main", file: "refs/heads/main", how: "emptied", what: "refs/heads/main"},
		{name: "a cut main", file: "refs/heads/main", how: "cut", what: "refs/heads/main"},
		{name: "a main that leads nowhere", file: "refs/heads/main", how: "replaced", what: "refs/heads/main"},
		{name: "a main that is gone", file: "refs/heads/main", how: "removed", what: "refs/heads/main"},
		{name: "an empty main without a log", file: "refs/heads/main", how: "emptied", logless: true, what: "refs/heads/main"},
		{name: "a cut main without a log", file: "refs/heads/main", how: "cut", logless: true, what: "refs/heads/main"},
		{name: "an empty branch", file: "refs/heads/dev", how: "emptied", what: "refs/heads/dev"},
		{name: "a cut tag", file: "refs/tags/v1.0.0", how: "cut", what: "refs/tags/v1.0.0"},
		{name: "empty settings", file: settingsFile, how: "emptied", what: settingsFile, private: true},
		{name: "cut settings", file: settingsFile, how: "cut", what: settingsFile, private: true},
		{name: "settings that are gone", file: settingsFile, how: "removed", private: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := newServer(t, Config{Dir: dir})
			for _, repo := range []string{"acme/aa", "acme/tg", "zeta/zz"} {
				must(t, s, "POST", "/api/repos/create", `{"name":"`+repo+`"}`)
			}
			must(t, s, "POST", "/api/models/acme/tg/branch/dev", `{}`)
			must(t, s, "POST", "/api/models/acme/tg/tag/main", `{"tag":"v1.0.0","message":"m"}`)
			must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("a", "1"))
			head := commitOf(t, must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("a", "2")))
			repo := s.repoDir("acme/tg")
			if c.logless {
				if err := os.RemoveAll(filepath.Join(repo, "logs")); err != nil {
					t.Fatal(err)
				}
			}
			damage(t, filepath.Join(repo, c.file), c.how)

			var log bytes.Buffer
			s = newServer(t, Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
			for _, target := range []string{"/", "/api/models", "/api/settings/repositories"} {
				body := must(t, s, "GET", target, "").Body.String()
				if !strings.Contains(body, "acme/aa") || !strings.Contains(body, "zeta/zz") {
					t.Errorf("%s hides what is not damaged: %s", target, body)
				}
			}
			must(t, s, "GET", "/acme/aa", "")
			damaged := s.Damaged()
			if c.what != "" {
				if len(damaged) != 1 || damaged[0].Repo != "acme/tg" || damaged[0].What != c.what || !strings.Contains(log.String(), c.what) {
					t.Errorf("listed as damaged: %v; the log: %s", damaged, &log)
				}
				ref, _ := strings.CutPrefix(c.what, "refs/")
				_, ref, _ = strings.Cut(ref, "/")
				if ref == "" {
					ref = "main"
				}
				if w := call(s, "GET", "/api/models/acme/tg/revision/"+ref, nil); w.Code < 500 {
					t.Errorf("what is damaged answers %d %s", w.Code, w.Body)
				}
			}
			if _, err := s.Collect(t.Context(), time.Nanosecond); err == nil {
				t.Error("a collection takes what damage hides for what nothing leads to")
			}

			found, err := Check(t.Context(), dir, false)
			if err != nil || len(found) != 1 || found[0].Repo != "acme/tg" || found[0].Repaired != "" {
				t.Fatalf("found: %v (%v)", found, err)
			}
			if found, err = Check(t.Context(), dir, true); err != nil || len(found) != 1 || found[0].Repaired == "" {
				t.Fatalf("repaired: %v (%v)", found, err)
			}
			if found, err = Check(t.Context(), dir, false); err != nil || len(found) != 0 {
				t.Fatalf("after the repair: %v (%v)", found, err)
			}
			info := must(t, s, "GET", "/api/models/acme/tg", "").Body.String()
			if !strings.Contains(info, head) || strings.Contains(info, `"private":true`) != c.private {
				t.Errorf("after the repair main is not at %s: %s", head, info)
			}
			must(t, s, "GET", "/api/models/acme/tg/revision/dev", "")
			must(t, s, "GET", "/api/models/acme/tg/revision/v1.0.0", "")
			if damaged := s.Damaged(); len(damaged) != 0 {
				t.Errorf("after the repair: %v", damaged)
			}
		})
	}
}

// TestDamagedObjects holds that each object that is not what its name says is
// found, and that the same can be stored again after it was set aside.
func TestDamagedObjects(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, Config{Dir: dir})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	large := strings.Repeat("x", maxBlob+1)
	commit := header + line("a.txt", strings.Repeat("text ", 100)) + line("large.txt", large)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", commit)
	if found, err := Check(t.Context(), dir, false); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
	p, err := s.load("acme/tg")
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.git.resolve("main")
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.git.list(c)
	if err != nil {
		t.Fatal(err)
	}
	blob := l.files["a.txt"].hash.String()
	oid := l.files["large.txt"].lfs.oid
	damage(t, filepath.Join(p.dir, "objects", blob[:2], blob[2:]), "flipped")
	damage(t, s.blobs.path(oid), "flipped")
	found, err := Check(t.Context(), dir, true)
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, f := range found {
		all += f.String() + "\n"
	}
	if !strings.Contains(all, blob) || !strings.Contains(all, oid) {
		t.Fatalf("found: %s", all)
	}
	s = newServer(t, Config{Dir: dir})
	must(t, s, "POST", "/api/models/acme/tg/commit/main", commit)
	if got := must(t, s, "GET", "/acme/tg/resolve/main/large.txt", "").Body.String(); got != large {
		t.Error("the large file was not stored again")
	}
	if got := must(t, s, "GET", "/acme/tg/resolve/main/a.txt", "").Body.String(); got != strings.Repeat("text ", 100) {
		t.Error("the small file was not stored again")
	}
}
