// Package atomicfile writes files that appear whole or not at all, on every
// system that the project builds for.
package atomicfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Unfinished is the pattern of the temporary files of Replace, for whoever clears
// what dead processes left.
const Unfinished = ".new-*"

// Replace writes the file at path with what fill writes and the permissions perm.
// Whatever happens, path holds its old content or all of the new, and no
// temporary file remains unless the process dies. After a nil error the new
// content is durable. The temporary file is a hidden one beside path.
func Replace(path string, perm fs.FileMode, fill func(io.Writer) error) error {
	return ReplaceVia(filepath.Dir(path), path, perm, fill)
}

// ReplaceVia is Replace with the temporary file in the directory temp, which must
// be on path's file system.
func ReplaceVia(temp, path string, perm fs.FileMode, fill func(io.Writer) error) error {
	name, err := Write(temp, Unfinished, perm, fill)
	if err != nil {
		return err
	}
	if err := os.Rename(name, path); err != nil {
		os.Remove(name)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Bytes is a fill for content that is in memory.
func Bytes(content []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}
}

// Write fills a new file in dir, syncs it and returns its name, for a caller that
// decides afterwards what becomes of it. The name follows pattern as in
// os.CreateTemp. After an error there is no file.
func Write(dir, pattern string, perm fs.FileMode, fill func(io.Writer) error) (name string, err error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			f.Close() // closing twice is harmless
			os.Remove(f.Name())
		}
	}()
	for _, step := range []func() error{
		func() error { return fill(f) },
		func() error { return f.Chmod(perm) },
		f.Sync,
		f.Close,
	} {
		if err := step(); err != nil {
			return "", err
		}
	}
	return f.Name(), nil
}

// SyncDir makes renames and removals in a directory durable, where the system and
// the file system can.
func SyncDir(dir string) error {
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
