package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// Promote makes a branch hold what a revision holds, by one commit on top of
// what it held, and returns the commit it is at. A branch that holds it already
// stays as it is, one that does not exist is made. ErrConflict means that
// another commit came between.
//
// The protocol has no call that points a branch elsewhere, and main can not be
// deleted and made anew: a commit is what every Hub allows, and it keeps the
// history of what main has served.
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
// what git itself keeps beside them. Files that the server stores by LFS do not
// travel.
func (c *Client) difference(ctx context.Context, repo, want, have string) (Commit, error) {
	there, err := c.Tree(ctx, repo, have)
	if err != nil {
		return Commit{}, err
	}
	blobs := make(map[string]string, len(there))
	for _, e := range there {
		blobs[e.Path] = e.Blob
	}
	files, err := c.Tree(ctx, repo, want)
	if err != nil {
		return Commit{}, err
	}
	var change Commit
	for _, e := range files {
		if e.Path != attributes && blobs[e.Path] != e.Blob {
			change.Add = append(change.Add, File{Path: e.Path, Size: e.Size, SHA256: e.SHA256, Open: func() (io.ReadCloser, error) {
				name, err := c.Download(ctx, repo, want, e.Path, nil)
				if err != nil {
					return nil, err
				}
				return os.Open(name)
			}})
		}
		delete(blobs, e.Path)
	}
	delete(blobs, attributes)
	change.Delete = slices.Sorted(maps.Keys(blobs))
	return change, nil
}

// attributes is git's list of what is stored by LFS. Servers keep it themselves.
const attributes = ".gitattributes"
