package hubserver

import (
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// history is a set of commits in the order in which a walk met them.
type history struct {
	commits []*object.Commit
	has     map[plumbing.Hash]bool
	// edge holds the commits whose parents were left out for their depth.
	edge map[plumbing.Hash]bool
}

// history walks from the tips to the oldest commits. With depth above zero it
// takes that many generations only; it does not go on to the parents of a
// commit in end.
func (g *gitRepo) history(tips []plumbing.Hash, depth int, end map[plumbing.Hash]bool) (*history, error) {
	h := &history{has: map[plumbing.Hash]bool{}, edge: map[plumbing.Hash]bool{}}
	for generation := 1; len(tips) > 0; generation++ {
		var next []plumbing.Hash
		for _, tip := range tips {
			if h.has[tip] {
				continue
			}
			c, err := object.GetCommit(g.storage, tip)
			if err != nil {
				return nil, fmt.Errorf("hubserver: commit %s: %w", tip, err)
			}
			h.has[tip] = true
			h.commits = append(h.commits, c)
			switch {
			case len(c.ParentHashes) == 0 || end[tip]:
			case generation == depth:
				h.edge[tip] = true
			default:
				next = append(next, c.ParentHashes...)
			}
		}
		tips = next
	}
	return h, nil
}

// content calls visit for the trees and blobs of a tree, itself included, that
// are not in seen, and adds them to it.
func (g *gitRepo) content(tree plumbing.Hash, seen map[plumbing.Hash]bool, visit func(plumbing.Hash, filemode.FileMode) error) error {
	if seen[tree] {
		return nil
	}
	seen[tree] = true
	if err := visit(tree, filemode.Dir); err != nil {
		return err
	}
	t, err := object.GetTree(g.storage, tree)
	if err != nil {
		return fmt.Errorf("hubserver: tree %s: %w", tree, err)
	}
	for _, e := range t.Entries {
		if e.Mode == filemode.Dir {
			if err := g.content(e.Hash, seen, visit); err != nil {
				return err
			}
			continue
		}
		if seen[e.Hash] {
			continue
		}
		seen[e.Hash] = true
		if err := visit(e.Hash, e.Mode); err != nil {
			return err
		}
	}
	return nil
}
