package hubserver

import (
	"errors"
	"fmt"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// maxLooked is how many commits are looked at for the last one that changed a
// path. What did not change in them has the oldest of them.
const maxLooked = 2000

// lastCommits finds, for each path of a commit, the last commit of its history
// that changed it.
func (g *gitRepo) lastCommits(c *object.Commit, paths []string) (map[string]*object.Commit, error) {
	out := make(map[string]*object.Commit, len(paths))
	trees := treeCache{g: g, has: map[plumbing.Hash]map[string]plumbing.Hash{}}
	pending := paths
	for looked := 0; len(pending) > 0; looked++ {
		var parent *object.Commit
		if len(c.ParentHashes) > 0 && looked < maxLooked {
			var err error
			if parent, err = object.GetCommit(g.storage, c.ParentHashes[0]); err != nil {
				return nil, fmt.Errorf("hubserver: commit %s: %w", c.ParentHashes[0], err)
			}
		}
		if parent == nil {
			for _, name := range pending {
				out[name] = c
			}
			break
		}
		if parent.TreeHash != c.TreeHash {
			var left []string
			for _, name := range pending {
				now, err := trees.at(c.TreeHash, name)
				if err != nil {
					return nil, err
				}
				before, err := trees.at(parent.TreeHash, name)
				if err != nil {
					return nil, err
				}
				if now != before {
					out[name] = c
				} else {
					left = append(left, name)
				}
			}
			pending = left
		}
		c = parent
	}
	return out, nil
}

// treeCache holds the trees of one request.
type treeCache struct {
	g   *gitRepo
	has map[plumbing.Hash]map[string]plumbing.Hash
}

// at is the hash of what a tree has at a path, zero if there is nothing.
func (t *treeCache) at(tree plumbing.Hash, name string) (plumbing.Hash, error) {
	if dir := path.Dir(name); dir != "." {
		var err error
		if tree, err = t.at(tree, dir); err != nil || tree.IsZero() {
			return tree, err
		}
	}
	entries, ok := t.has[tree]
	if !ok {
		if len(t.has) > 1000 {
			clear(t.has)
		}
		entries = map[string]plumbing.Hash{}
		got, err := object.GetTree(t.g.storage, tree)
		if err != nil && !errors.Is(err, plumbing.ErrObjectNotFound) { // it was a file then
			return plumbing.ZeroHash, fmt.Errorf("hubserver: tree %s: %w", tree, err)
		}
		if err == nil {
			for _, e := range got.Entries {
				entries[e.Name] = e.Hash
			}
		}
		t.has[tree] = entries
	}
	return entries[path.Base(name)], nil
}

// expand adds to entries of a commit what only those get who ask for more.
func (g *gitRepo) expand(c *object.Commit, entries []treeEntry) error {
	paths := make([]string, len(entries))
	for i, e := range entries {
		paths[i] = e.Path
	}
	last, err := g.lastCommits(c, paths)
	if err != nil {
		return err
	}
	for i, e := range entries {
		c := last[e.Path]
		entries[i].LastCommit = &lastCommit{c.Hash.String(), lineOf(c).Title, c.Author.When.UTC().Format(isoTime)}
	}
	return nil
}

type lastCommit struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Date  string `json:"date"`
}
