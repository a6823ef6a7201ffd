package hubserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"polyid-trainer/storage/atomicfile"
)

// sweep keeps what is about to be used from being collected. Whoever finds
// content stored already makes it young while holding the lock for reading;
// Collect looks at the age and removes while holding it for writing.
type sweep struct{ sync.RWMutex }

// freshen makes a stored file young; false if there is none.
func (s *sweep) freshen(name string) bool {
	s.RLock()
	defer s.RUnlock()
	now := time.Now()
	return os.Chtimes(name, now, now) == nil
}

// remove removes a file that is older than a time; it returns its size, and
// whether it did.
func (s *sweep) remove(name string, before time.Time) (int64, bool, error) {
	s.Lock()
	defer s.Unlock()
	info, err := os.Stat(name)
	if err != nil || !info.ModTime().Before(before) {
		return 0, false, ignoreMissing(err)
	}
	if err := os.Remove(name); err != nil {
		return 0, false, ignoreMissing(err)
	}
	return info.Size(), true, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Collected is what a collection removed.
type Collected struct {
	Files int   // git objects, LFS objects and what uploads left unfinished
	Bytes int64 // on disk
}

// Collect removes content that no branch or tag of any repository leads to, as
// failed commits and deleted branches and repositories leave it. Content and
// commits younger than age stay, and all that such a commit leads to; age must
// exceed the longest time between an upload and its commit. Repositories can
// be used meanwhile; each is locked while its own objects are looked at.
func (s *Server) Collect(ctx context.Context, age time.Duration) (Collected, error) {
	// A repository that got another name between two looks would be missed.
	s.names.Lock()
	defer s.names.Unlock()
	c := collector{s: s, ctx: ctx, before: time.Now().Add(-age), oids: map[string]bool{}}
	ids, err := s.all()
	if err != nil {
		return c.done, fmt.Errorf("hubserver: collect: %w", err)
	}
	var damaged error
	for _, id := range ids {
		switch err := c.repo(id); {
		case errors.Is(err, errLeftOut):
			// What it leads to cannot be told from what nothing leads to.
			damaged = errors.Join(damaged, fmt.Errorf("hubserver: collect: %s: %w", id, err))
		case err != nil:
			return c.done, fmt.Errorf("hubserver: collect: %w", err)
		}
	}
	if damaged != nil {
		return c.done, damaged
	}
	if err := c.blobs(); err != nil {
		return c.done, fmt.Errorf("hubserver: collect: %w", err)
	}
	return c.done, nil
}

// errLeftOut means that nothing of a repository is collected, nor any LFS object.
var errLeftOut = errors.New("it is damaged: nothing of it is removed, and no LFS object")

type collector struct {
	s      *Server
	ctx    context.Context
	before time.Time
	oids   map[string]bool // LFS objects that something leads to
	done   Collected
}

func (c *collector) remove(name string) error {
	n, removed, err := c.s.sweep.remove(name, c.before)
	if removed {
		c.done.Files++
		c.done.Bytes += n
	}
	return err
}

// repo collects the git objects of a repository and notes its LFS objects.
func (c *collector) repo(id string) error {
	dir := c.s.repoDir(id)
	l := c.s.lock(id)
	l.Lock()
	defer l.Unlock()
	p, err := c.s.load(id)
	if errors.Is(err, fs.ErrNotExist) {
		// Deleted meanwhile, or never made whole; used before, it lost its settings.
		if used, err := c.s.openGit(id).logged("refs/heads/main"); err != nil || len(used) > 1 {
			return errLeftOut
		}
		return nil
	}
	if err != nil {
		return errLeftOut
	}
	loose, err := filepath.Glob(filepath.Join(dir, "objects", "??", strings.Repeat("?", 38)))
	if err != nil {
		return err
	}
	used, err := c.mark(p.git, loose)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	for _, name := range loose {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if !used[looseHash(name)] {
			if err := c.remove(name); err != nil {
				return err
			}
		}
	}
	uploads, err := filepath.Glob(filepath.Join(dir, uploadsDir, "*"))
	if err != nil {
		return err
	}
	for _, name := range uploads {
		if _, _, err := c.s.sweep.remove(name, c.before); err != nil {
			return err
		}
	}
	unfinished, err := filepath.Glob(filepath.Join(dir, atomicfile.Unfinished))
	for _, name := range unfinished {
		err = errors.Join(err, c.remove(name))
	}
	return err
}

// looseHash is the name of an object that is a file of its own.
func looseHash(name string) plumbing.Hash {
	return plumbing.NewHash(filepath.Base(filepath.Dir(name)) + filepath.Base(name))
}

// mark returns the objects that the references and the young commits lead to.
func (c *collector) mark(g *gitRepo, loose []string) (map[plumbing.Hash]bool, error) {
	refs, err := g.refs("refs/")
	if err != nil {
		return nil, err
	}
	targets, err := g.targets()
	if err != nil {
		return nil, err
	}
	if len(targets) != len(refs) {
		return nil, errLeftOut
	}
	used := map[plumbing.Hash]bool{}
	var tips []plumbing.Hash
	for _, ref := range refs {
		used[plumbing.NewHash(ref.object)] = true
		tips = append(tips, plumbing.NewHash(ref.TargetCommit))
	}
	for _, name := range loose {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if info.ModTime().Before(c.before) {
			continue
		}
		if _, err := object.GetCommit(g.storage, looseHash(name)); err == nil {
			tips = append(tips, looseHash(name))
		}
	}
	h, err := g.history(tips, 0, nil)
	if err != nil {
		return nil, err
	}
	for _, commit := range h.commits {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		used[commit.Hash] = true
		err := g.content(commit.TreeHash, used, func(hash plumbing.Hash, mode filemode.FileMode) error {
			if !mode.IsFile() {
				return nil
			}
			f, err := g.stat(hash)
			if f.lfs != nil {
				c.oids[f.lfs.oid] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return used, nil
}

// blobs collects the LFS objects that were not noted.
func (c *collector) blobs() error {
	return filepath.WalkDir(c.s.blobs.dir, func(name string, d fs.DirEntry, err error) error {
		if err = errors.Join(ignoreMissing(err), c.ctx.Err()); err != nil || d == nil || d.IsDir() {
			return err
		}
		if c.oids[d.Name()] {
			return nil
		}
		return c.remove(name)
	})
}
