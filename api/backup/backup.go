// Package backup moves a service to another machine: everything that it cannot
// make again, in one gzipped tar.
//
//	objects/<key>      every object of the storage: records, datasets, checkpoints, models
//	hub/<path>         the embedded Hub
//	webhook-secret     what webhooks are signed with, where it was made here
//	manifest.json      last: the size and SHA-256 of everything before it
//
// The queue is not in it, since records say what is to be done, nor is the cache
// of models downloaded. The archive holds the secret: it is as private as that.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"polyid-trainer/storage"
)

const (
	schema       = 1
	objects      = "objects/"
	manifestName = "manifest.json"
	maxManifest  = 1 << 30
	rounds       = 3 // of copying what has changed meanwhile
)

// kept are the entries of a data directory that are in an archive.
var kept = []string{"hub", "webhook-secret"}

// Place is what is backed up, and where it is restored.
type Place struct {
	Bucket storage.Bucket
	Dir    string // DATA_DIR
}

// Manifest says what an archive holds.
type Manifest struct {
	Schema  int       `json:"schema"`
	Created time.Time `json:"created"`
	Files   []File    `json:"files"` // sorted by name
}

// File is one entry of an archive.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// Write writes an archive of p to w. Objects that change meanwhile are copied
// again; if that does not end, the service is too busy to be backed up, and that
// is an error. progress hears of every file; it may be nil.
func Write(ctx context.Context, w io.Writer, p Place, now time.Time, progress func(File)) (*Manifest, error) {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed) // weights hardly shrink
	if err != nil {
		return nil, err
	}
	a := &writer{Writer: tar.NewWriter(zip), now: now, files: map[string]File{}, progress: progress}
	for _, name := range kept {
		if err := a.tree(ctx, p.Dir, name); err != nil {
			return nil, fmt.Errorf("back up %s: %w", name, err)
		}
	}
	if err := a.objects(ctx, p.Bucket); err != nil {
		return nil, fmt.Errorf("back up objects: %w", err)
	}
	m := &Manifest{Schema: schema, Created: now.UTC()}
	for _, f := range a.files {
		m.Files = append(m.Files, f)
	}
	slices.SortFunc(m.Files, func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if err := a.file(manifestName, int64(len(body)), strings.NewReader(string(body))); err != nil {
		return nil, err
	}
	return m, errors.Join(a.Close(), zip.Close())
}

// writer writes an archive and notes what went into it.
type writer struct {
	*tar.Writer
	now      time.Time
	files    map[string]File
	progress func(File)
}

// file writes one entry of exactly size bytes.
func (a *writer) file(name string, size int64, body io.Reader) error {
	if err := a.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: a.now, Format: tar.FormatPAX}); err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(a, io.TeeReader(body, hash))
	if err == nil && n != size {
		err = fmt.Errorf("has %d bytes, not %d", n, size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f := File{name, size, hex.EncodeToString(hash.Sum(nil))}
	a.files[name] = f
	if a.progress != nil {
		a.progress(f)
	}
	return nil
}

// tree writes a file, or a directory with all that is in it, if it exists.
func (a *writer) tree(ctx context.Context, dir, name string) error {
	return filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == filepath.Join(dir, name) {
			return nil
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir(): // also empty ones, which repositories need
			return a.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: rel + "/", Mode: 0o700, ModTime: a.now, Format: tar.FormatPAX})
		case !d.Type().IsRegular():
			return nil // sockets and the like are made again
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return a.file(rel, info.Size(), f)
	})
}

// objects writes every object, again until a listing finds nothing new.
func (a *writer) objects(ctx context.Context, b storage.Bucket) error {
	type state struct {
		size     int64
		modified time.Time
	}
	seen := map[string]state{}
	changed := 0
	for range rounds {
		changed = 0
		for e, err := range b.List(ctx, "") {
			if err != nil {
				return err
			}
			now := state{e.Size, e.Modified}
			if seen[e.Key] == now {
				continue
			}
			seen[e.Key] = now
			changed++
			if err := a.object(ctx, b, e.Key); err != nil {
				return err
			}
		}
		if changed == 0 {
			return nil
		}
	}
	return fmt.Errorf("%d objects changed while they were copied: pause the jobs under way or stop the workers, and try again", changed)
}

func (a *writer) object(ctx context.Context, b storage.Bucket, key string) error {
	o, err := b.Get(ctx, key)
	if errors.Is(err, storage.ErrNotExist) {
		return nil // removed since it was listed
	}
	if err != nil {
		return err
	}
	defer o.Close()
	return a.file(objects+key, o.Size, o)
}
