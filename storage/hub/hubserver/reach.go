package hubserver

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	lru "github.com/hashicorp/golang-lru/v2"
)

// maxReaches is of how many repositories the reachable commits are remembered.
const maxReaches = 32

// reach is the set of commits that the branches and tags of a repository lead to,
// and of the tags themselves. What is not in it was deleted: only those who may
// change the repository still see it.
type reach struct {
	refs [sha256.Size]byte // of the references it was made for
	has  map[plumbing.Hash]bool
	tips []plumbing.Hash

	content struct { // trees and blobs, once they were asked for
		sync.Mutex
		has map[plumbing.Hash]bool
	}
}

// reaches remembers the last reach of each repository.
type reaches struct {
	cache  *lru.Cache[string, *reach]
	counts *lru.Cache[plumbing.Hash, int] // commits in the history of a commit
	mu     sync.Mutex                     // one is made at a time
}

func newReaches() *reaches {
	cache, err := lru.New[string, *reach](maxReaches)
	if err != nil {
		panic(err) // the size is positive
	}
	counts, err := lru.New[plumbing.Hash, int](1000)
	if err != nil {
		panic(err) // the size is positive
	}
	return &reaches{cache: cache, counts: counts}
}

// reachable returns what the references of a repository lead to.
func (g *gitRepo) reachable() (map[plumbing.Hash]bool, error) {
	r, err := g.reach()
	if err != nil {
		return nil, err
	}
	return r.has, nil
}

// leadsTo reports whether a branch or tag leads to a blob.
func (g *gitRepo) leadsTo(blob plumbing.Hash) (bool, error) {
	r, err := g.reach()
	if err != nil {
		return false, err
	}
	r.content.Lock()
	defer r.content.Unlock()
	if r.content.has == nil {
		h, err := g.history(r.tips, 0, nil)
		if err != nil {
			return false, err
		}
		has := map[plumbing.Hash]bool{}
		for _, c := range h.commits {
			if err := g.content(c.TreeHash, has, func(plumbing.Hash, filemode.FileMode) error { return nil }); err != nil {
				return false, err
			}
		}
		r.content.has = has
	}
	return r.content.has[blob], nil
}

func (g *gitRepo) reach() (*reach, error) {
	refs, err := g.refs("refs/")
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, ref := range refs {
		fmt.Fprintln(sum, ref.object, ref.TargetCommit)
	}
	var key [sha256.Size]byte
	sum.Sum(key[:0])
	if r, ok := g.reaches.cache.Get(g.dir); ok && r.refs == key {
		return r, nil
	}
	g.reaches.mu.Lock()
	defer g.reaches.mu.Unlock()
	if r, ok := g.reaches.cache.Get(g.dir); ok && r.refs == key {
		return r, nil
	}
	var tips []plumbing.Hash
	for _, ref := range refs {
		tips = append(tips, plumbing.NewHash(ref.TargetCommit))
	}
	h, err := g.history(tips, 0, nil)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		h.has[plumbing.NewHash(ref.object)] = true
	}
	r := &reach{refs: key, has: h.has, tips: tips}
	g.reaches.cache.Add(g.dir, r)
	return r, nil
}

// shortest is how many digits of a commit's hash may stand for it.
const shortest = 7

// resolveFor is resolve for a caller: a commit that no branch or tag leads to is
// there for writers alone, and the beginning of a hash stands for the one
// reachable commit that has it.
func (g *gitRepo) resolveFor(rev string, writer bool) (*object.Commit, error) {
	c, err := g.resolve(rev)
	if err == nil && (writer || c.Hash.String() != rev) {
		return c, nil
	}
	short := len(rev) >= shortest && len(rev) < 40 && strings.Trim(rev, "0123456789abcdef") == ""
	if err != nil && !short {
		return nil, err
	}
	reachable, reachErr := g.reachable()
	if reachErr != nil {
		return nil, reachErr
	}
	if err == nil {
		if !reachable[c.Hash] {
			return nil, errNoRevision
		}
		return c, nil
	}
	var found *object.Commit
	for h := range reachable {
		if !strings.HasPrefix(h.String(), rev) {
			continue
		}
		c, err := object.GetCommit(g.storage, h)
		if err != nil {
			continue // it is a tag's
		}
		if found != nil {
			return nil, errorf(404, "RevisionNotFound", "%q is the beginning of more than one commit: give more digits", rev)
		}
		found = c
	}
	if found == nil {
		return nil, errNoRevision
	}
	return found, nil
}
