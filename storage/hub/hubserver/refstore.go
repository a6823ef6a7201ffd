package hubserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// A reference is a file with the name of an object and nothing else. It is read
// here and not by go-git, which gives up on all of them for one that is damaged.

// errDamaged answers for a reference that cannot be read. It is the server's
// fault, and a client had better not take it for one that is not there.
var errDamaged = &httpError{500, "", "This branch or tag is damaged on the server; `api doctor --repair` mends what can be mended"}

type refEntry struct {
	Name         string `json:"name"`
	Ref          string `json:"ref"`
	TargetCommit string `json:"targetCommit"`
	object       string // TargetCommit or an annotated tag of it
}

// refs returns the sound references under prefix, by name. Damaged ones are left
// out and noted.
func (g *gitRepo) refs(prefix string) ([]refEntry, error) {
	targets, err := g.targets()
	if err != nil {
		return nil, err
	}
	out := []refEntry{}
	for ref, target := range targets {
		name, ok := strings.CutPrefix(ref, prefix)
		if !ok {
			continue
		}
		c, err := g.target(ref, target)
		if err != nil {
			continue // it is noted
		}
		out = append(out, refEntry{name, ref, c.Hash.String(), target})
	}
	slices.SortFunc(out, func(a, b refEntry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// targets reads what each reference holds, be it sound or not.
func (g *gitRepo) targets() (map[string]string, error) {
	out := map[string]string{}
	if err := g.packed(out); err != nil {
		return nil, err
	}
	err := filepath.WalkDir(filepath.Join(g.dir, "refs"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return ignoreMissing(err)
		}
		rel, err := filepath.Rel(g.dir, name)
		out[filepath.ToSlash(rel)] = strings.TrimSpace(string(b))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hubserver: references: %w", err)
	}
	// A log goes with its reference: one that is alone tells of one that is lost.
	err = filepath.WalkDir(filepath.Join(g.dir, "logs", "refs"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		rel, err := filepath.Rel(filepath.Join(g.dir, "logs"), name)
		if ref := filepath.ToSlash(rel); err == nil && !contains(out, ref) {
			if _, err := os.Stat(filepath.Join(g.dir, rel)); errors.Is(err, fs.ErrNotExist) { // it was not made meanwhile
				out[ref] = ""
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hubserver: references: %w", err)
	}
	return out, nil
}

func contains(m map[string]string, key string) bool { _, ok := m[key]; return ok }

// packed reads the references that git itself has put into one file.
func (g *gitRepo) packed(out map[string]string) error {
	b, err := os.ReadFile(filepath.Join(g.dir, "packed-refs"))
	if err != nil {
		return ignoreMissing(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if hash, name, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "refs/") {
			out[name] = hash
		}
	}
	return lines.Err()
}

// target is the commit that a reference leads to. One that is damaged is noted.
func (g *gitRepo) target(ref, hash string) (*object.Commit, error) {
	if !commitPattern.MatchString(hash) {
		g.note(ref, fmt.Sprintf("it holds %.60q instead of a commit", hash))
		return nil, errDamaged
	}
	c, err := g.peel(plumbing.NewHash(hash))
	if err != nil {
		g.note(ref, err.Error())
		return nil, errDamaged
	}
	g.note(ref, "")
	return c, nil
}

// reference is the commit at a full name; ok is false if there is none.
func (g *gitRepo) reference(ref string) (c *object.Commit, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(g.dir, filepath.FromSlash(ref)))
	if err == nil {
		c, err = g.target(ref, strings.TrimSpace(string(b)))
		return c, true, err
	}
	if !isNoFile(err) {
		return nil, false, fmt.Errorf("hubserver: %s: %w", ref, err)
	}
	packed := map[string]string{}
	if err := g.packed(packed); err != nil {
		return nil, false, fmt.Errorf("hubserver: %w", err)
	}
	hash, ok := packed[ref]
	if !ok {
		if info, err := os.Stat(g.logFile(ref)); err != nil || info.IsDir() {
			return nil, false, nil
		}
		hash = "" // it is lost
	}
	c, err = g.target(ref, hash)
	return c, true, err
}

// isNoFile holds where a reference's name is a folder of references, or below
// a reference.
func isNoFile(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR)
}

// resolve finds the commit that a branch, tag, full reference or commit names;
// HEAD is the main branch. Whether the caller may see a commit that is named by
// its hash is for the caller to check.
func (g *gitRepo) resolve(rev string) (*object.Commit, error) {
	if rev == "HEAD" {
		rev = "refs/heads/main"
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/", ""} {
		name := plumbing.ReferenceName(prefix + rev)
		if !strings.HasPrefix(string(name), "refs/") || name.Validate() != nil {
			continue
		}
		if c, ok, err := g.reference(string(name)); ok || err != nil {
			return c, err
		}
	}
	if commitPattern.MatchString(rev) {
		c, err := object.GetCommit(g.storage, plumbing.NewHash(rev))
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			return nil, fmt.Errorf("hubserver: %w", err)
		}
	}
	return nil, errNoRevision
}

// peel returns the commit behind an annotated tag, or the commit itself.
func (g *gitRepo) peel(h plumbing.Hash) (*object.Commit, error) {
	if t, err := object.GetTag(g.storage, h); err == nil {
		h = t.Target
	}
	c, err := object.GetCommit(g.storage, h)
	if err != nil {
		return nil, fmt.Errorf("hubserver: commit %s: %w", h, err)
	}
	return c, nil
}

// setRef points a reference at an object, atomically even if the process dies, and
// says so in the reference's log.
func (g *gitRepo) setRef(ref, hash, who, why string) error {
	name := filepath.Join(g.dir, filepath.FromSlash(ref))
	before := plumbing.ZeroHash.String()
	if c, ok, err := g.reference(ref); ok && err == nil {
		before = c.Hash.String()
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	if err := replaceFile(g.dir, name, []byte(hash+"\n")); err != nil {
		return err
	}
	g.note(ref, "")
	if err := g.addToLog(ref, before, hash, who, why); err != nil {
		// The reference has moved, which is what was asked for; without the line
		// a repair knows less of it.
		g.log.Warn("the log of a reference could not be written", "ref", ref, "error", err)
	}
	return nil
}

func (g *gitRepo) logFile(ref string) string {
	return filepath.Join(g.dir, "logs", filepath.FromSlash(ref))
}

// addToLog appends to a reference's log, in git's format.
func (g *gitRepo) addToLog(ref, before, hash, who, why string) error {
	name := g.logFile(ref)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	by := signature(who)
	why, _, _ = strings.Cut(why, "\n")
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = fmt.Fprintf(f, "%s %s %s <%s> %d +0000\t%.200s\n", before, hash, by.Name, by.Email, time.Now().Unix(), why)
	if err != nil { // half a line would be in the way of the next
		err = errors.Join(err, f.Truncate(info.Size()))
	}
	return errors.Join(err, f.Close())
}

// logged returns what a reference has held, the newest last.
func (g *gitRepo) logged(ref string) ([]string, error) {
	b, err := os.ReadFile(g.logFile(ref))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) > 1 && commitPattern.MatchString(fields[1]) {
			out = append(out, fields[1])
		}
	}
	return out, nil
}

// deleteRef removes a reference and its log.
func (g *gitRepo) deleteRef(ref string) error {
	if err := ignoreMissing(os.Remove(g.logFile(ref))); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	if err := ignoreMissing(os.Remove(filepath.Join(g.dir, filepath.FromSlash(ref)))); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	g.note(ref, "")
	// A folder that is empty now would be in the way of a branch of its name.
	for d := path.Dir(ref); strings.Count(d, "/") > 1; d = path.Dir(d) {
		os.Remove(g.logFile(d)) // it need not be there
		if os.Remove(filepath.Join(g.dir, filepath.FromSlash(d))) != nil {
			break
		}
	}
	return nil
}
