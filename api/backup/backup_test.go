package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

func place(t *testing.T) Place {
	t.Helper()
	dir := t.TempDir()
	b, err := file.Open(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	return Place{Bucket: b, Dir: dir}
}

func put(t *testing.T, b storage.Bucket, key, body string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		t.Fatal(err)
	}
}

// full is a place with something of everything in it.
func full(t *testing.T) Place {
	t.Helper()
	p := place(t)
	put(t, p.Bucket, "jobs/tj_1/job.json", `{"id":1}`)
	put(t, p.Bucket, "jobs/tj_1/folds/0/models/0001.safetensors", strings.Repeat("w", 1<<20))
	put(t, p.Bucket, "index/active/tj_1", "")
	for name, body := range map[string]string{
		"webhook-secret": "whsec_x", "hub/repos/a/b/HEAD": "ref: refs/heads/main", "hub/lfs/ab/cd": "weights",
		"hub-cache/x": "not kept", "redis/appendonly": "not kept", "lock": "",
	} {
		path := filepath.Join(p.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(p.Dir, "hub/repos/a/b/refs/tags"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// contents are all files of a place and what is in them; directories end in "/".
func contents(t *testing.T, p Place) map[string]string {
	t.Helper()
	found := map[string]string{}
	for e, err := range p.Bucket.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		o, err := p.Bucket.Get(t.Context(), e.Key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(o)
		o.Close()
		if err != nil {
			t.Fatal(err)
		}
		found["objects/"+e.Key] = string(body)
	}
	for _, name := range kept {
		filepath.WalkDir(filepath.Join(p.Dir, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // not there
			}
			rel, _ := filepath.Rel(p.Dir, path)
			if d.IsDir() {
				found[rel+"/"] = ""
				return nil
			}
			body, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			found[rel] = string(body)
			return nil
		})
	}
	return found
}

func archive(t *testing.T, p Place) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := Write(t.Context(), &b, p, time.Unix(1e9, 0), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	from, to := full(t), place(t)
	a := archive(t, from)
	var heard int64
	m, err := Restore(t.Context(), bytes.NewReader(a), to, func(f File) { heard += f.Size })
	if err != nil {
		t.Fatal(err)
	}
	want, got := contents(t, from), contents(t, to)
	if !maps.Equal(want, got) {
		t.Errorf("restored %q\nwant %q", keys(got), keys(want))
	}
	if len(m.Files) != 6 || m.Bytes() != heard || m.Bytes() < 1<<20 {
		t.Errorf("the manifest has %d files of %d bytes, heard of %d bytes", len(m.Files), m.Bytes(), heard)
	}
	if !bytes.Equal(a, archive(t, to)) {
		t.Error("a backup of what was restored differs from the first")
	}
}

func keys(m map[string]string) (names []string) {
	for k := range maps.Keys(m) {
		names = append(names, k)
	}
	return names
}

func TestRestoreRefusesWhatIsNotEmpty(t *testing.T) {
	t.Parallel()
	a := archive(t, full(t))
	for name, fill := range map[string]func(Place){
		"an object": func(p Place) { put(t, p.Bucket, "jobs/x", "mine") },
		"a secret":  func(p Place) { os.WriteFile(filepath.Join(p.Dir, "webhook-secret"), []byte("mine"), 0o600) },
		"a hub":     func(p Place) { os.Mkdir(filepath.Join(p.Dir, "hub"), 0o755) },
	} {
		p := place(t)
		fill(p)
		before := contents(t, p)
		if _, err := Restore(t.Context(), bytes.NewReader(a), p, nil); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("onto %s: %v", name, err)
		}
		if after := contents(t, p); !maps.Equal(before, after) {
			t.Errorf("%s was changed: %q", name, after)
		}
	}
}

// An archive cut off anywhere, or with a byte changed, is refused, and leaves
// nothing.
func TestRestoreOfADamagedArchive(t *testing.T) {
	t.Parallel()
	a := archive(t, full(t))
	check := func(name string, damaged []byte) {
		p := place(t)
		if _, err := Restore(t.Context(), bytes.NewReader(damaged), p, nil); err == nil {
			t.Errorf("%s: restored", name)
		}
		if left := contents(t, p); len(left) > 0 {
			t.Errorf("%s: left %q", name, keys(left))
		}
	}
	for _, n := range []int{0, 1, 10, len(a) / 4, len(a) / 2, len(a) * 3 / 4, len(a) - 40} {
		check(fmt.Sprintf("cut at %d", n), a[:n])
	}
	for i := 10; i < len(a)-8; i += len(a)/37 + 1 { // gzip's header and the length behind it say nothing of the content
		changed := bytes.Clone(a)
		changed[i] ^= 0x10
		check(fmt.Sprintf("changed at %d", i), changed)
	}
}

// What an archive names never lies outside the folders that it is for.
func TestRestoreOfAHostileArchive(t *testing.T) {
	t.Parallel()
	for _, h := range []tar.Header{
		{Name: "../outside"}, {Name: "hub/../../outside"}, {Name: "hub/../outside"}, {Name: "hub/./x"}, {Name: "hub//x"}, {Name: "/outside"},
		{Name: "objects/../outside"}, {Name: "objects//outside"}, {Name: `hub/..\..\outside`}, {Name: "elsewhere/x"}, {Name: "lock"},
		{Name: "hub/link", Typeflag: tar.TypeSymlink, Linkname: "../.."}, {Name: "hub/hard", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		{Name: "objects/link", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, {Name: "hub/device", Typeflag: tar.TypeChar}, {Name: "hub/../elsewhere/", Typeflag: tar.TypeDir},
	} {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		w := tar.NewWriter(zip)
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, 4
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			io.WriteString(w, "evil")
		}
		if err := errors.Join(w.Close(), zip.Close()); err != nil {
			t.Fatal(err)
		}
		around := t.TempDir()
		p := Place{Bucket: place(t).Bucket, Dir: filepath.Join(around, "data")}
		if _, err := Restore(t.Context(), &b, p, nil); err == nil {
			t.Errorf("%s: restored", h.Name)
		}
		err := filepath.WalkDir(around, func(path string, d os.DirEntry, err error) error {
			if err == nil && path != around && path != p.Dir {
				t.Errorf("%s: left %s", h.Name, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// busy is a bucket whose objects change whenever they are listed.
type busy struct {
	storage.Bucket
	changes int
}

func (b *busy) List(ctx context.Context, prefix string) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range b.Bucket.List(ctx, prefix) {
			if b.changes > 0 {
				e.Modified = e.Modified.Add(time.Duration(b.changes) * time.Second)
			}
			if !yield(e, err) {
				return
			}
		}
		b.changes--
	}
}

func TestObjectsThatChange(t *testing.T) {
	t.Parallel()
	p := full(t)
	p.Bucket = &busy{p.Bucket, 1}
	var b bytes.Buffer
	if _, err := Write(t.Context(), &b, p, time.Unix(1e9, 0), nil); err != nil {
		t.Fatalf("changed once: %v", err)
	}
	if _, err := Restore(t.Context(), &b, place(t), nil); err != nil {
		t.Errorf("an archive that holds objects twice: %v", err)
	}
	p.Bucket = &busy{p.Bucket, 100}
	if _, err := Write(t.Context(), io.Discard, p, time.Unix(1e9, 0), nil); err == nil || !strings.Contains(err.Error(), "pause") {
		t.Errorf("changing all the time: %v", err)
	}
}
