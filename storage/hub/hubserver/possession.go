package hubserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// LFS objects are stored together, whichever repository they are of, and who knows
// a hash need not have the content. So a commit may name an object that its own
// repository leads to, that was uploaded to it, or that whoever commits may read in
// another repository; anything else has to be uploaded, even where it is stored.

// uploadsDir, in a repository, holds an empty file for each object that was
// uploaded to it and may not have been committed yet.
const uploadsDir = "lfs-uploads"

// noteUpload notes that the content of an object has come to the repository that
// r's address names.
func (s *Server) noteUpload(r *http.Request, oid string) error {
	dir := filepath.Join(s.repoDir(r.PathValue("ns")+"/"+r.PathValue("name")), uploadsDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, oid), nil, 0o600); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	return nil
}

// possesses reports whether r may have a commit to p name an object.
func (s *Server) possesses(r *http.Request, p *repo, o pointer) (bool, error) {
	if !oidPattern.MatchString(o.oid) {
		return false, nil
	}
	if p.git.storage.HasEncodedObject(o.hash()) == nil {
		return true, nil
	}
	if _, err := os.Stat(filepath.Join(p.dir, uploadsDir, o.oid)); !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	found := false
	err := s.each(r, func(other *repo, _ *object.Commit) (err error) {
		if found || other.git.storage.HasEncodedObject(o.hash()) != nil {
			return nil
		}
		found, err = other.git.leadsTo(o.hash())
		return err
	})
	return found, err
}
