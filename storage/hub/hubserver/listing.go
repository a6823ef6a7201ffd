package hubserver

import (
	"errors"
	"fmt"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	// maxEntries is how many files and folders a revision may have. It bounds
	// what a commit writes and what a reader of a revision costs.
	maxEntries = 25_000
	// A listing of more entries than this is remembered for a while.
	longListing = 200
	maxListings = 8 // that are remembered
)

// listing is all that a revision holds, by path. It is shared: whoever changes
// one clones it first.
type listing struct {
	files   map[string]file
	folders map[string]plumbing.Hash // by path, without the root
	lost    bool                     // a blob is not there: its file is listed as empty
}

// listings remembers long listings by the hash of their tree, which does not
// change, and makes each of them once.
type listings struct {
	cache  *lru.Cache[plumbing.Hash, *listing]
	making singleflight.Group
}

func newListings() *listings {
	cache, err := lru.New[plumbing.Hash, *listing](maxListings)
	if err != nil {
		panic(err) // the size is positive
	}
	return &listings{cache: cache}
}

// list returns what a commit holds.
func (g *gitRepo) list(c *object.Commit) (*listing, error) {
	if l, ok := g.listings.cache.Get(c.TreeHash); ok {
		return l, nil
	}
	made, err, _ := g.listings.making.Do(g.dir+c.TreeHash.String(), func() (any, error) {
		l := &listing{files: map[string]file{}, folders: map[string]plumbing.Hash{}}
		if err := g.listInto(l, "", c.TreeHash, 0); err != nil {
			return nil, err
		}
		if len(l.files)+len(l.folders) > longListing && !l.lost {
			g.listings.cache.Add(c.TreeHash, l)
		}
		return l, nil
	})
	if err != nil {
		return nil, err
	}
	return made.(*listing), nil
}

// errTooLarge means that a revision of another making is beyond what this Hub
// accepts in a commit.
var errTooLarge = errors.New("hubserver: the revision has more files and folders than this Hub lists")

func (g *gitRepo) listInto(l *listing, dir string, tree plumbing.Hash, depth int) error {
	t, err := object.GetTree(g.storage, tree)
	if err != nil {
		return fmt.Errorf("hubserver: tree %s: %w", tree, err)
	}
	for _, e := range t.Entries {
		if len(l.files)+len(l.folders) > 4*maxEntries || depth > 1024 {
			return errTooLarge
		}
		name := path.Join(dir, e.Name)
		switch {
		case e.Mode == filemode.Dir:
			l.folders[name] = e.Hash
			if err := g.listInto(l, name, e.Hash, depth+1); err != nil {
				return err
			}
		case e.Mode.IsFile():
			f, err := g.stat(e.Hash)
			if errors.Is(err, plumbing.ErrObjectNotFound) {
				// The rest is listed, and a commit that brings the file again mends it.
				g.note(e.Hash.String(), "it is missing; "+name+" needs it")
				f, err, l.lost = file{hash: e.Hash}, nil, true
			}
			if err != nil {
				return err
			}
			l.files[name] = f
		}
	}
	return nil
}

// sizes returns how many bytes the files of each folder have, at any depth.
func (l *listing) sizes() map[string]int64 {
	out := make(map[string]int64, len(l.folders))
	for name, f := range l.files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			out[dir] += f.size
		}
	}
	return out
}

// find describes a file of a commit.
func (g *gitRepo) find(c *object.Commit, name string) (file, error) {
	tree, err := object.GetTree(g.storage, c.TreeHash)
	if err != nil {
		return file{}, fmt.Errorf("hubserver: %w", err)
	}
	entry, err := tree.FindEntry(name)
	if err != nil || !entry.Mode.IsFile() {
		return file{}, errNoEntry
	}
	return g.stat(entry.Hash)
}

// stat describes a blob. What is too large for a pointer is not read.
func (g *gitRepo) stat(h plumbing.Hash) (file, error) {
	size, err := g.storage.EncodedObjectSize(h)
	if err != nil {
		return file{}, fmt.Errorf("hubserver: blob %s: %w", h, err)
	}
	f := file{hash: h, size: size}
	if size > maxPointer {
		return f, nil
	}
	b, err := g.read(h)
	if err != nil {
		return file{}, err
	}
	if p, ok := parsePointer(b); ok {
		f.lfs, f.size = &p, p.size
	}
	return f, nil
}
