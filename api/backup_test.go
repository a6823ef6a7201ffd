package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/api/app"
)

// backup and restore move a directory, refuse one in use, and never overwrite.
func TestBackupCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to, file := filepath.Join(dir, "from"), filepath.Join(dir, "to"), filepath.Join(dir, "b.tar.gz")
	if err := os.MkdirAll(filepath.Join(from, "objects", "jobs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "objects", "jobs", "x"), []byte("record"), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(want int, says string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != want || !strings.Contains(errs.String(), says) {
			t.Errorf("%q: exit status %d and %q, want %d and %q in it", args, code, errs.String(), want, says)
		}
	}
	unlock, err := app.LockDir(from)
	if err != nil {
		t.Fatal(err)
	}
	try(1, "another process uses", "backup", "--data-dir", from, file)
	unlock()
	try(1, "there is no", "backup", "--data-dir", filepath.Join(dir, "nowhere"), file)
	try(0, "1 files", "backup", "--data-dir", from, file)
	try(1, "exists already", "backup", "--data-dir", from, file)
	try(0, "restored 1 files", "restore", "--data-dir", to, file)
	if got, err := os.ReadFile(filepath.Join(to, "objects", "jobs", "x")); err != nil || string(got) != "record" {
		t.Errorf("restored %q, %v", got, err)
	}
	try(1, "there is data already", "restore", "--data-dir", to, file)
	try(2, "file", "backup")
}
