package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Promote makes a branch hold what a revision holds, by one commit on top of
// what it held, and returns the commit it is at. A branch that holds it already
// stays as it is, one that does not exist is made. ErrConflict means that
// another commit came between.
func (c *Client) Promote(ctx context.Context, repo, revision, branch string) (string, error) {
	from, err := c.Model(ctx, repo, revision)
	if err != nil {
		return "", err
	}
	to, err := c.Model(ctx, repo, branch)
	if errors.Is(err, ErrRevisionNotFound) {
		return from.Commit, c.CreateBranch(ctx, repo, branch, from.Commit)
	}
	if err != nil {
		return "", err
	}
	if from.Commit == to.Commit {
		return to.Commit, nil
	}
	change, err := c.difference(ctx, repo, from.Commit, to.Commit)
	if err != nil {
		return "", err
	}
	if len(change.Add)+len(change.Delete) == 0 {
		return to.Commit, nil
	}
	change.Summary, change.Parent = "Promote "+revision, to.Commit
	change.Description = fmt.Sprintf("The files are those of %s.", from.Commit)
	return c.Commit(ctx, repo, branch, change)
}

// difference is the change that makes a commit's files of another's, without
// what git itself keeps beside them.
func (c *Client) difference(ctx context.Context, repo, want, have string) (Commit, error) {
	there, err := c.Tree(ctx, repo, have)
	if err != nil {
		return Commit{}, err
	}
	blobs := make(map[string]string, len(there))
	for _, e := range there {
		if e.Path != ".gitattributes" {
			blobs[e.Path] = e.Blob
		}
	}
	changed := map[string]bool{}
	snap, err := c.Snapshot(ctx, repo, want, func(e Entry) bool {
		if e.Path == ".gitattributes" {
			return false
		}
		changed[e.Path] = blobs[e.Path] != e.Blob
		delete(blobs, e.Path)
		return changed[e.Path]
	}, nil)
	if err != nil {
		return Commit{}, err
	}
	var change Commit
	for _, e := range snap.Files {
		if !changed[e.Path] {
			continue
		}
		file, err := LocalFile(e.Path, filepath.Join(snap.Dir, filepath.FromSlash(e.Path)))
		if err != nil {
			return Commit{}, err
		}
		change.Add = append(change.Add, file)
	}
	change.Delete = slices.Sorted(maps.Keys(blobs))
	return change, nil
}
