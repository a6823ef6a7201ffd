package hubserver

import (
	"bytes"
	"cmp"
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

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Finding is something that Check found damaged.
type Finding struct {
	Repo     string // namespace/name; empty for an LFS object, which belongs to all
	What     string // "settings.json", a reference, or an object by its hash
	Problem  string
	Repaired string // what was done about it; empty where nothing was or could be
}

// damagedSuffix ends the name under which something damaged is set aside.
const damagedSuffix = ".damaged"

// Check reads all that the Hub in dir holds and compares each object with its
// hash. With repair, what can be mended is: a reference goes back to what its log
// says, otherwise to the newest commit that no other leads to; settings are made
// anew, as private; an object that is not what its name says is set aside, so that
// it can be uploaded again. The cost is that of reading everything once. A server
// may run meanwhile. A directory that is not there holds nothing.
func Check(ctx context.Context, dir string, repair bool) ([]Finding, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	s := newHub(Config{Dir: dir})
	ids, err := s.all()
	if err != nil {
		return nil, err
	}
	c := &checker{s: s, ctx: ctx, repair: repair}
	for _, id := range ids {
		if err := c.repo(id); err != nil {
			return c.found, fmt.Errorf("hubserver: check %s: %w", id, err)
		}
	}
	if err := c.blobs(); err != nil {
		return c.found, fmt.Errorf("hubserver: check: %w", err)
	}
	return c.found, nil
}

type checker struct {
	s      *Server
	ctx    context.Context
	repair bool
	found  []Finding
}

// report notes a finding and, if it is to be repaired, has mend say what it did.
func (c *checker) report(repo, what, problem string, mend func() (string, error)) error {
	f := Finding{Repo: repo, What: what, Problem: problem}
	var err error
	if c.repair && mend != nil {
		f.Repaired, err = mend()
	}
	c.found = append(c.found, f)
	return err
}

func (c *checker) repo(id string) error {
	g := c.s.openGit(id)
	targets, err := g.targets()
	if err != nil {
		return err
	}
	if proceed, err := c.settings(id, g, len(targets) > 0); !proceed || err != nil {
		return err
	}
	if err := c.loose(id, g); err != nil {
		return err
	}
	g = c.s.openGit(id) // without what it remembers of what was set aside
	if _, ok := targets["refs/heads/main"]; !ok {
		targets["refs/heads/main"] = ""
	}
	for ref, hash := range targets {
		if !commitPattern.MatchString(hash) {
			err = c.report(id, ref, fmt.Sprintf("it holds %.60q instead of a commit", hash), func() (string, error) { return c.mendRef(g, ref, hash) })
		} else if _, lost := g.peel(plumbing.NewHash(hash)); lost != nil {
			err = c.report(id, ref, lost.Error(), func() (string, error) { return c.mendRef(g, ref, hash) })
		} else if lost := c.whole(g, hash); lost != nil {
			// It stays: everything else that it leads to is readable, and what is
			// missing can be stored again.
			err = c.report(id, ref, fmt.Sprintf("what it leads to is not all there: %v", lost), nil)
		}
		if err != nil {
			return err
		}
	}
	return c.ctx.Err()
}

// settings checks settings.json; proceed is false for what is no repository.
func (c *checker) settings(id string, g *gitRepo, used bool) (proceed bool, err error) {
	name := filepath.Join(g.dir, settingsFile)
	b, err := os.ReadFile(name)
	var problem string
	switch {
	case errors.Is(err, fs.ErrNotExist):
		log, err := g.logged("refs/heads/main")
		if err != nil || len(log) < 2 && !used {
			return false, err // a creation or deletion that was cut off
		}
		problem = "it is missing"
	case err != nil:
		return false, err
	default:
		var have settings
		if err := json.Unmarshal(b, &have); err == nil {
			return true, nil
		} else {
			problem = err.Error()
		}
	}
	return true, c.report(id, settingsFile, problem, func() (string, error) {
		p := &repo{id: id, dir: g.dir, settings: settings{Schema: 1, Private: true, Created: time.Now().UTC()}}
		return "made anew; the repository is private now", p.saveSettings()
	})
}

// loose compares the objects of a repository with their hashes.
func (c *checker) loose(id string, g *gitRepo) error {
	names, err := filepath.Glob(filepath.Join(g.dir, "objects", "??", strings.Repeat("?", 38)))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		hash := looseHash(name)
		problem := ""
		if o, err := g.storage.EncodedObject(plumbing.AnyObject, hash); err != nil {
			problem = err.Error()
		} else if b, err := readObject(o); err != nil {
			problem = err.Error()
		} else if got := plumbing.ComputeHash(o.Type(), b); got != hash {
			problem = "its content is that of " + got.String()
		}
		if problem == "" {
			continue
		}
		if err := c.report(id, hash.String(), problem, func() (string, error) { return setAside(name) }); err != nil {
			return err
		}
	}
	return nil
}

// setAside renames what is damaged, so that the same can be stored anew.
func setAside(name string) (string, error) {
	return "set aside; publish or upload the same again to mend it", os.Rename(name, name+damagedSuffix)
}

// whole says whether a reference leads to a commit whose trees and blobs are all
// there, and its history.
func (c *checker) whole(g *gitRepo, hash string) error {
	commit, err := g.peel(plumbing.NewHash(hash))
	if err != nil {
		return err
	}
	h, err := g.history([]plumbing.Hash{commit.Hash}, 0, nil)
	if err != nil {
		return err
	}
	seen := map[plumbing.Hash]bool{}
	for _, commit := range h.commits {
		err := g.content(commit.TreeHash, seen, func(blob plumbing.Hash, mode filemode.FileMode) error {
			if !mode.IsFile() {
				return nil
			}
			_, err := g.stat(blob)
			return err
		})
		if err = errors.Join(err, c.ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// mendRef points a reference at the newest commit of its log that is whole or, if
// its log has none, at the newest whole commit that no other reference leads to. A
// tag without either is removed.
func (c *checker) mendRef(g *gitRepo, ref, was string) (string, error) {
	logged, err := g.logged(ref)
	if err != nil {
		return "", err
	}
	slices.Reverse(logged)
	for _, hash := range logged {
		if hash != was && c.whole(g, hash) == nil {
			return "goes back to " + hash + ", as its log says", g.setRef(ref, hash, c.s.config.User, "repair: by the log")
		}
	}
	if !strings.HasPrefix(ref, "refs/heads/") {
		return "", nil
	}
	newest, err := c.newest(g)
	if err != nil || newest == nil {
		return "", err
	}
	return "goes to " + newest.Hash.String() + ", the newest commit there is", g.setRef(ref, newest.Hash.String(), c.s.config.User, "repair: the newest commit")
}

// newest is the youngest whole commit that no sound reference leads to, otherwise
// the youngest whole one; nil if there is none.
func (c *checker) newest(g *gitRepo) (*object.Commit, error) {
	reachable, err := g.reachable()
	if err != nil {
		reachable = nil // a history is damaged too
	}
	names, err := filepath.Glob(filepath.Join(g.dir, "objects", "??", strings.Repeat("?", 38)))
	if err != nil {
		return nil, err
	}
	var commits []*object.Commit
	for _, name := range names {
		if commit, err := object.GetCommit(g.storage, looseHash(name)); err == nil {
			commits = append(commits, commit)
		}
	}
	rank := func(x *object.Commit) int {
		if reachable[x.Hash] {
			return 1
		}
		return 0
	}
	slices.SortFunc(commits, func(a, b *object.Commit) int {
		// Commits of one second: the one with the longer history is the later.
		return cmp.Or(rank(a)-rank(b), b.Committer.When.Compare(a.Committer.When), length(g, b)-length(g, a))
	})
	for _, commit := range commits {
		if c.whole(g, commit.Hash.String()) == nil {
			return commit, nil
		}
	}
	return nil, nil
}

func length(g *gitRepo, c *object.Commit) int {
	n, err := g.countCommits(c)
	if err != nil {
		return 0
	}
	return n
}

// blobs compares what LFS stores with its names.
func (c *checker) blobs() error {
	return filepath.WalkDir(c.s.blobs.dir, func(name string, d fs.DirEntry, err error) error {
		if err = errors.Join(ignoreMissing(err), c.ctx.Err()); err != nil || d == nil || d.IsDir() || !oidPattern.MatchString(d.Name()) {
			return err
		}
		got, err := hashFile(name)
		if err != nil {
			return ignoreMissing(err)
		}
		if got == d.Name() {
			return nil
		}
		return c.report("", d.Name(), "its content is that of "+got, func() (string, error) { return setAside(name) })
	})
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// String is a finding as a line.
func (f Finding) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s", strings.TrimPrefix(f.Repo+" "+f.What, " "), f.Problem)
	if f.Repaired != "" {
		fmt.Fprintf(&b, " (%s)", f.Repaired)
	}
	return b.String()
}
