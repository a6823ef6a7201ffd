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
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"polyid-trainer/storage"
)

// ErrNotEmpty means that there is something already where an archive was to be
// restored. Nothing was written.
var ErrNotEmpty = errors.New("there is data already")

// Restore puts what an archive holds into p, which must be empty. An archive
// that is cut short or damaged is an error, and leaves p empty.
func Restore(ctx context.Context, r io.Reader, p Place, progress func(File)) (m *Manifest, err error) {
	if err := p.empty(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	defer root.Close()
	a := &reader{Place: p, root: root, files: map[string]File{}, progress: progress}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("restore: %w", err), a.undo(context.WithoutCancel(ctx)))
		}
	}()
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("this is no backup: %w", err)
	}
	t := tar.NewReader(zip)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the archive ends before its manifest: it is not complete")
		}
		if err != nil {
			return nil, fmt.Errorf("read the archive: %w", err)
		}
		if h.Name == manifestName {
			return a.verify(t)
		}
		if err := a.entry(ctx, h, t); err != nil {
			return nil, err
		}
	}
}

// empty fails if anything lies where an archive would go.
func (p Place) empty(ctx context.Context) error {
	for e, err := range p.Bucket.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		return fmt.Errorf("restore: %w in the storage (%s): choose an empty one", ErrNotEmpty, e.Key)
	}
	for _, name := range kept {
		if _, err := os.Lstat(filepath.Join(p.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("restore: %w (%s): choose an empty DATA_DIR", ErrNotEmpty, filepath.Join(p.Dir, name))
		}
	}
	return nil
}

// reader restores an archive and notes what it wrote.
type reader struct {
	Place
	root     *os.Root // of Dir
	files    map[string]File
	progress func(File)
}

// entry restores one file or directory. What it is named is not trusted.
func (a *reader) entry(ctx context.Context, h *tar.Header, body io.Reader) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	sum := sha256.New()
	body = io.TeeReader(body, sum)
	key, isObject := strings.CutPrefix(h.Name, objects)
	name := strings.TrimSuffix(h.Name, "/")
	first, _, _ := strings.Cut(name, "/")
	switch {
	case isObject && h.Typeflag == tar.TypeReg:
		if err := storage.CheckKey(key); err != nil {
			return err
		}
		a.files[h.Name] = File{Name: h.Name}
		if _, err := a.Bucket.Put(ctx, key, body, h.Size, storage.Condition{}); err != nil {
			return err
		}
	case slices.Contains(kept, first) && path.Clean(name) == name && filepath.IsLocal(filepath.FromSlash(name)):
		if h.Typeflag == tar.TypeDir {
			return a.root.MkdirAll(filepath.FromSlash(name), 0o755)
		}
		if h.Typeflag != tar.TypeReg {
			return fmt.Errorf("%q is neither file nor directory", h.Name)
		}
		if err := a.writeFile(name, body); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q has no place here: this is no backup, or one of a newer program", h.Name)
	}
	a.note(h, sum)
	return nil
}

func (a *reader) note(h *tar.Header, sum hash.Hash) {
	f := File{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))}
	a.files[h.Name] = f
	if a.progress != nil {
		a.progress(f)
	}
}

// writeFile writes a new file below the directory. A link that leads out of it is
// not followed.
func (a *reader) writeFile(name string, body io.Reader) error {
	if err := a.root.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o755); err != nil {
		return err
	}
	f, err := a.root.OpenFile(filepath.FromSlash(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Sync(), f.Close())
}

// verify compares what was restored with the manifest.
func (a *reader) verify(r io.Reader) (*Manifest, error) {
	var m Manifest
	if err := json.NewDecoder(io.LimitReader(r, maxManifest)).Decode(&m); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if m.Schema != schema {
		return nil, fmt.Errorf("the archive has schema %d, this program knows %d: use a newer one", m.Schema, schema)
	}
	for _, want := range m.Files {
		if got, ok := a.files[want.Name]; !ok || got != want {
			return nil, fmt.Errorf("%s is not what the manifest says: the archive is damaged", want.Name)
		}
	}
	if len(m.Files) != len(a.files) {
		return nil, fmt.Errorf("the archive holds %d files, its manifest %d: it is damaged", len(a.files), len(m.Files))
	}
	return &m, nil
}

// undo removes what was restored.
func (a *reader) undo(ctx context.Context) error {
	var errs []error
	for name := range a.files {
		if key, ok := strings.CutPrefix(name, objects); ok {
			errs = append(errs, a.Bucket.Delete(ctx, key))
		}
	}
	for _, name := range kept {
		errs = append(errs, os.RemoveAll(filepath.Join(a.Dir, name)))
	}
	return errors.Join(errs...)
}
