package hubserver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"polyid-trainer/storage/atomicfile"
)

// gitRepo reads and writes the objects and references of a bare repository.
type gitRepo struct {
	dir      string
	storage  *filesystem.Storage
	sweep    *sweep
	listings *listings
	reaches  *reaches
	note     func(ref, problem string) // that a reference is damaged, or sound
	log      *slog.Logger
}

// file is a file of a tree: a blob, which is a pointer if lfs is set.
type file struct {
	hash plumbing.Hash
	size int64 // of the content
	lfs  *pointer
}

// openGit opens a repository of the Hub.
func (s *Server) openGit(id string) *gitRepo {
	dir := s.repoDir(id)
	storage := filesystem.NewStorage(osfs.New(dir, osfs.WithBoundOS()), cache.NewObjectLRU(4*cache.MiByte))
	return &gitRepo{dir: dir, storage: storage, sweep: &s.sweep, listings: s.listings, reaches: s.reaches,
		note: func(ref, problem string) { s.damages.note(id, ref, problem) }, log: s.config.Log.With("repo", id)}
}

func (s *Server) initGit(id string) (*gitRepo, error) {
	g := s.openGit(id)
	if err := g.storage.Init(); err != nil {
		return nil, err
	}
	dir := g.dir
	for _, sub := range []string{"refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(sub)), 0o755); err != nil {
			return nil, err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
	if err := replaceFile(dir, filepath.Join(dir, "config"), []byte(config)); err != nil {
		return nil, err
	}
	return g, replaceFile(dir, filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"))
}

func (g *gitRepo) read(h plumbing.Hash) ([]byte, error) {
	o, err := g.storage.EncodedObject(plumbing.BlobObject, h)
	if err != nil {
		return nil, fmt.Errorf("hubserver: blob %s: %w", h, err)
	}
	return readObject(o)
}

func readObject(o plumbing.EncodedObject) ([]byte, error) {
	r, err := o.Reader()
	if err != nil {
		return nil, fmt.Errorf("hubserver: %w", err)
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (g *gitRepo) addBlob(content []byte) (file, error) {
	o := g.storage.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	if err != nil {
		return file{}, err
	}
	if _, err := w.Write(content); err != nil {
		return file{}, err
	}
	h, err := g.put(o)
	return file{hash: h, size: int64(len(content))}, err
}

func (g *gitRepo) addPointer(p pointer) (file, error) {
	f, err := g.addBlob(p.encode())
	f.size, f.lfs = p.size, &p
	return f, err
}

func (g *gitRepo) put(o plumbing.EncodedObject) (plumbing.Hash, error) {
	id := o.Hash().String()
	if g.sweep.freshen(filepath.Join(g.dir, "objects", id[:2], id[2:])) || g.storage.HasEncodedObject(o.Hash()) == nil {
		return o.Hash(), nil
	}
	if err := g.writeObject(o, filepath.Join(g.dir, "objects", id[:2], id[2:])); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("hubserver: %w", err)
	}
	g.note(id, "")
	return o.Hash(), nil
}

// writeObject writes an object to a file of its own, whole or not at all. go-git
// would leave its temporary file behind where there is no room for all of it.
func (g *gitRepo) writeObject(o plumbing.EncodedObject, name string) (err error) {
	r, err := o.Reader()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(g.dir, atomicfile.Unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close() // closing twice is harmless
			os.Remove(f.Name())
		}
	}()
	w := objfile.NewWriter(f)
	if err := w.WriteHeader(o.Type(), o.Size()); err != nil {
		return errors.Join(err, w.Close())
	}
	if _, err := io.Copy(w, r); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := errors.Join(w.Close(), f.Chmod(0o444), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// signature says that user acts now, without what would end a name in git.
func signature(user string) object.Signature {
	user = strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' {
			return -1
		}
		return r
	}, user)
	return object.Signature{Name: user, Email: strings.ReplaceAll(user, " ", ".") + "@localhost", When: time.Now().UTC()}
}

// commit writes a tree of the files and a commit of it on top of parent, which
// is empty for the first. Where nothing changes the parent is the answer.
func (g *gitRepo) commit(files map[string]file, parent, user, message string) (string, error) {
	tree, err := g.writeTree(files)
	if err != nil {
		return "", err
	}
	var parents []plumbing.Hash
	if parent != "" {
		before, err := object.GetCommit(g.storage, plumbing.NewHash(parent))
		if err != nil {
			return "", fmt.Errorf("hubserver: %w", err)
		}
		if before.TreeHash == tree {
			return parent, nil
		}
		parents = []plumbing.Hash{before.Hash}
	}
	return g.commitTree(tree, parents, user, message)
}

// commitTree writes a commit of a tree.
func (g *gitRepo) commitTree(tree plumbing.Hash, parents []plumbing.Hash, user, message string) (string, error) {
	who := signature(user)
	c := &object.Commit{Author: who, Committer: who, Message: message, TreeHash: tree, ParentHashes: parents}
	o := g.storage.NewEncodedObject()
	if err := c.Encode(o); err != nil {
		return "", fmt.Errorf("hubserver: %w", err)
	}
	h, err := g.put(o)
	return h.String(), err
}

// writeTree writes the trees of files, the deepest first, and returns the root.
func (g *gitRepo) writeTree(files map[string]file) (plumbing.Hash, error) {
	folders := map[string]map[string]object.TreeEntry{".": {}}
	folder := func(dir string) map[string]object.TreeEntry {
		for d := dir; folders[d] == nil; d = path.Dir(d) {
			folders[d] = map[string]object.TreeEntry{}
		}
		return folders[dir]
	}
	for p, f := range files {
		folder(path.Dir(p))[path.Base(p)] = object.TreeEntry{Name: path.Base(p), Mode: filemode.Regular, Hash: f.hash}
	}
	dirs := make([]string, 0, len(folders))
	for d := range folders {
		dirs = append(dirs, d)
	}
	depth := func(d string) int {
		if d == "." {
			return -1
		}
		return strings.Count(d, "/")
	}
	slices.SortFunc(dirs, func(a, b string) int { return depth(b) - depth(a) })
	var hash plumbing.Hash
	for _, d := range dirs { // "." is last
		t := &object.Tree{}
		for _, e := range folders[d] {
			t.Entries = append(t.Entries, e)
		}
		slices.SortFunc(t.Entries, func(a, b object.TreeEntry) int { return strings.Compare(sortName(a), sortName(b)) })
		o := g.storage.NewEncodedObject()
		if err := t.Encode(o); err != nil {
			return hash, fmt.Errorf("hubserver: %w", err)
		}
		var err error
		if hash, err = g.put(o); err != nil {
			return hash, err
		}
		if d == "." {
			break
		}
		parent := folders[path.Dir(d)]
		if _, taken := parent[path.Base(d)]; taken {
			return hash, badRequest("%q is a file and a folder", d)
		}
		parent[path.Base(d)] = object.TreeEntry{Name: path.Base(d), Mode: filemode.Dir, Hash: hash}
	}
	return hash, nil
}

// sortName orders a folder as if it ended in a slash, which is git's order.
func sortName(e object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// annotate writes a tag object and returns its name.
func (g *gitRepo) annotate(c *object.Commit, tag, user, message string) (string, error) {
	t := &object.Tag{
		Name: tag, Message: message + "\n", TargetType: plumbing.CommitObject, Target: c.Hash,
		Tagger: signature(user),
	}
	o := g.storage.NewEncodedObject()
	if err := t.Encode(o); err != nil {
		return "", fmt.Errorf("hubserver: %w", err)
	}
	h, err := g.put(o)
	return h.String(), err
}

// replaceFile writes a small file so that it has its old content or the new; it
// is prepared in dir, where what a killed process leaves is in nobody's way.
func replaceFile(dir, name string, content []byte) error {
	if err := atomicfile.ReplaceVia(dir, name, 0o600, atomicfile.Bytes(content)); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	return nil
}
