package hubserver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"polyid-trainer/storage/atomicfile"
)

var (
	oidPattern    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	commitPattern = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// blobs stores content under its SHA-256. Content appears whole or not at all.
type blobs struct {
	dir   string
	sweep *sweep
}

const uploadPattern = ".upload-*"

// clean removes what uploads of an earlier process left unfinished.
func (b blobs) clean() error {
	names, err := filepath.Glob(filepath.Join(b.dir, uploadPattern))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	// The addresses of parts are void since.
	if err = errors.Join(err, os.RemoveAll(filepath.Join(b.dir, partsDir))); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	return nil
}

// path is where the content of a valid oid is.
func (b blobs) path(oid string) string { return filepath.Join(b.dir, oid[:2], oid[2:4], oid) }

// size returns the size of stored content; ok is false if there is none.
func (b blobs) size(oid string) (n int64, ok bool) {
	if !oidPattern.MatchString(oid) {
		return 0, false
	}
	info, err := os.Stat(b.path(oid))
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// keep is size for content that is about to be used: it is not collected soon.
func (b blobs) keep(oid string) (n int64, ok bool) {
	if !oidPattern.MatchString(oid) || !b.sweep.freshen(b.path(oid)) {
		return 0, false
	}
	return b.size(oid)
}

// errDigest means that content is not what its name says.
var errDigest = errors.New("content does not match its oid")

// receive writes what r gives to a new file and returns its name, SHA-256 and size.
func (b blobs) receive(r io.Reader) (name, hash string, n int64, err error) {
	h := sha256.New()
	name, err = atomicfile.Write(b.dir, uploadPattern, 0o600, func(w io.Writer) (err error) {
		n, err = io.Copy(io.MultiWriter(w, h), r)
		return err
	})
	if err != nil {
		return "", "", 0, fmt.Errorf("hubserver: %w", err)
	}
	return name, hex.EncodeToString(h.Sum(nil)), n, nil
}

// add stores what r gives and returns its oid and size. With want set, other
// content is refused with errDigest.
func (b blobs) add(r io.Reader, want string) (oid string, n int64, err error) {
	temp, oid, n, err := b.receive(r)
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			os.Remove(temp)
		}
	}()
	if want != "" && oid != want {
		return "", 0, errDigest
	}
	name := b.path(oid)
	b.sweep.RLock() // the file is as old as its last byte until its name says that it is used
	defer b.sweep.RUnlock()
	now := time.Now()
	if err = os.Chtimes(temp, now, now); err != nil {
		return "", 0, fmt.Errorf("hubserver: %w", err)
	}
	if err = os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", 0, fmt.Errorf("hubserver: %w", err)
	}
	if err = os.Rename(temp, name); err != nil {
		return "", 0, fmt.Errorf("hubserver: %w", err)
	}
	return oid, n, nil
}
