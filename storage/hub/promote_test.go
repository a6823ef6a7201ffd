package hub_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

// A branch is moved forth and back between revisions.
func TestPromote(t *testing.T) {
	ctx := t.Context()
	c := client(t, serve(t, hubserver.Config{Tokens: []hubserver.Token{{Name: "anna", Secret: token}}}, nil), token)
	const repo = "acme/tg"
	create(t, c, repo)
	large := noise(2 << 20) // travels by LFS
	one := publish(t, c, repo, "", hub.Bytes("config.json", []byte("1")), hub.Bytes("a/model.safetensors", large), hub.Bytes("old.txt", []byte("x")))
	if err := c.CreateTag(ctx, repo, one, "v1", ""); err != nil {
		t.Fatal(err)
	}
	two, err := c.Commit(ctx, repo, "main", hub.Commit{Summary: "two", Delete: []string{"old.txt"}, Add: []hub.File{
		hub.Bytes("config.json", []byte("2")), hub.Bytes("new.txt", []byte("y"))}})
	if err != nil {
		t.Fatal(err)
	}

	holds := func(revision string, want map[string]string) {
		t.Helper()
		snap, err := c.Snapshot(ctx, repo, revision, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range snap.Files {
			body, err := os.ReadFile(filepath.Join(snap.Dir, e.Path))
			if w, ok := want[e.Path]; err != nil || e.Path != ".gitattributes" && (!ok || w != string(body)) {
				t.Errorf("%s of %s: %d bytes, %v", e.Path, revision, len(body), err)
			}
			delete(want, e.Path)
		}
		if len(want) > 0 {
			t.Errorf("%s lacks %v", revision, want)
		}
	}
	back, err := c.Promote(ctx, repo, "v1", "main")
	if err != nil || back == one || back == two {
		t.Fatalf("Promote = %s, %v", back, err)
	}
	first := func() map[string]string {
		return map[string]string{"config.json": "1", "a/model.safetensors": string(large), "old.txt": "x"}
	}
	holds("main", first())
	for _, revision := range []string{"v1", "main"} { // it holds that already
		if again, err := c.Promote(ctx, repo, revision, "main"); again != back || err != nil {
			t.Errorf("Promote(%s) again = %s, %v", revision, again, err)
		}
	}
	if _, err := c.Promote(ctx, repo, two, "main"); err != nil {
		t.Fatal(err)
	}
	holds("main", map[string]string{"config.json": "2", "a/model.safetensors": string(large), "new.txt": "y"})

	// A branch that does not exist begins there.
	if at, err := c.Promote(ctx, repo, "v1", "stable"); at != one || err != nil {
		t.Errorf("Promote to a new branch = %s, %v", at, err)
	}
	holds("stable", first())
	if _, err := c.Promote(ctx, repo, "v9", "main"); !errors.Is(err, hub.ErrRevisionNotFound) {
		t.Errorf("Promote of nothing = %v", err)
	}
	if _, err := c.Promote(ctx, "acme/none", "main", "main"); !errors.Is(err, hub.ErrRepoNotFound) {
		t.Errorf("Promote in no repository = %v", err)
	}
}
