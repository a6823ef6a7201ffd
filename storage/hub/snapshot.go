package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"polyid-trainer/storage/atomicfile"
)

// Snapshot is a revision, or the part of it that was asked for, on disk.
type Snapshot struct {
	Dir    string // holds the files under their paths; read-only by convention, the cache shares them
	Commit string // what the revision resolved to
	Files  []Entry
	// Stale says that the Hub could not be asked and this is what the revision
	// resolved to when it last could.
	Stale bool
}

// Snapshot downloads the files of a revision for which want is true, all if it
// is nil, and what is in the cache already not again. Where the Hub is
// unavailable and everything wanted is in the cache, that is the answer.
func (c *Client) Snapshot(ctx context.Context, repo, revision string, want func(Entry) bool, progress Progress) (*Snapshot, error) {
	s, err := c.resolve(ctx, repo, revision)
	if err != nil {
		return nil, err
	}
	var files []Entry
	for _, e := range s.Files {
		if want != nil && !want(e) {
			continue
		}
		if err := c.place(ctx, repo, s, e, progress); err != nil {
			return nil, err
		}
		files = append(files, e)
	}
	s.Files = files
	return s, nil
}

// Download is a Snapshot of one file and returns where it is; ErrEntryNotFound
// if the revision has none of that path.
func (c *Client) Download(ctx context.Context, repo, revision, path string, progress Progress) (string, error) {
	s, err := c.Snapshot(ctx, repo, revision, func(e Entry) bool { return e.Path == path }, progress)
	if err != nil {
		return "", err
	}
	if len(s.Files) == 0 {
		return "", fmt.Errorf("hub: %s at %s: %s: %w", repo, revision, path, ErrEntryNotFound)
	}
	return filepath.Join(s.Dir, filepath.FromSlash(path)), nil
}

// resolve finds the commit and the files of a revision: a commit from the
// cache, which cannot have changed, anything else from the Hub, and from the
// cache if the Hub is unavailable.
func (c *Client) resolve(ctx context.Context, repo, revision string) (*Snapshot, error) {
	if err := CheckRepo(repo); err != nil {
		return nil, err
	}
	if commitID.MatchString(revision) {
		if s, err := c.recall(repo, revision); err == nil {
			return s, nil
		}
	}
	asking := ctx
	last, e := c.recall(repo, c.lastCommit(repo, revision))
	if e == nil { // a Hub that is slow does not keep back what is here
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, c.patience)
		defer cancel()
	}
	m, err := c.Model(asking, repo, revision)
	if e == nil && ctx.Err() == nil && (errors.Is(err, ErrUnavailable) || err != nil && asking.Err() != nil) {
		last.Stale = true
		return last, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := c.recall(repo, m.Commit)
	if err != nil {
		s = &Snapshot{Dir: c.dir(repo, m.Commit), Commit: m.Commit}
		if s.Files, err = c.Tree(ctx, repo, m.Commit); err != nil {
			return nil, err
		}
		tree, err := json.Marshal(s.Files)
		if err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
		if err := writeFile(s.Dir+".json", tree); err != nil {
			return nil, err
		}
	}
	return s, writeFile(c.refFile(repo, revision), []byte(m.Commit))
}

// dir is where a commit's files are. The cache is per endpoint: equal names
// elsewhere are other repositories.
func (c *Client) dir(repo, commit string) string {
	return filepath.Join(c.repoDir(repo), "snapshots", commit)
}

func (c *Client) repoDir(repo string) string {
	place := c.base.Host + c.base.Path
	return filepath.Join(c.cache, safeName(place), strings.ReplaceAll(repo, "/", "--"))
}

func (c *Client) refFile(repo, revision string) string {
	return filepath.Join(c.repoDir(repo), "refs", safeName(revision))
}

// safeName maps a string to a file name, different ones to different ones.
func safeName(s string) string {
	var b strings.Builder
	for _, x := range []byte(s) {
		if x >= 'a' && x <= 'z' || x >= '0' && x <= '9' || x == '-' || x == '_' || x == '.' && b.Len() > 0 {
			b.WriteByte(x)
		} else {
			fmt.Fprintf(&b, "%%%02x", x)
		}
	}
	return b.String()
}

// lastCommit returns what a revision last resolved to, empty if it never did.
func (c *Client) lastCommit(repo, revision string) string {
	b, err := os.ReadFile(c.refFile(repo, revision))
	if err != nil {
		return ""
	}
	return string(b)
}

// recall reads the tree of a commit from the cache.
func (c *Client) recall(repo, commit string) (*Snapshot, error) {
	if !commitID.MatchString(commit) {
		return nil, os.ErrNotExist
	}
	s := &Snapshot{Dir: c.dir(repo, commit), Commit: commit}
	b, err := os.ReadFile(s.Dir + ".json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &s.Files); err != nil {
		return nil, err
	}
	for _, e := range s.Files {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// place puts the content of e under its path in the snapshot, as a hard link
// to the cached blob where the file system can.
func (c *Client) place(ctx context.Context, repo string, s *Snapshot, e Entry, progress Progress) error {
	local := filepath.FromSlash(e.Path)
	if !filepath.IsLocal(local) { // on this system, unlike on the Hub's
		return fmt.Errorf("hub: %q cannot be the name of a file here", e.Path)
	}
	name := filepath.Join(s.Dir, local)
	if cached(name, e.Size) {
		return nil
	}
	blob, err := c.blob(ctx, repo, s.Commit, e, progress)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("hub: cache: %w", err)
	}
	if err := os.Link(blob, name); err == nil || errors.Is(err, os.ErrExist) && cached(name, e.Size) {
		return nil
	}
	f, err := os.Open(blob)
	if err != nil {
		return fmt.Errorf("hub: cache: %w", err)
	}
	defer f.Close()
	return replace(name, f)
}

// writeFile replaces a small file of the cache.
func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("hub: cache: %w", err)
	}
	return replace(name, strings.NewReader(string(content)))
}

// replace writes name so that a reader sees the old content or the new.
func replace(name string, r io.Reader) error {
	err := atomicfile.Replace(name, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("hub: cache: %w", err)
	}
	return nil
}
