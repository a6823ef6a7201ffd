//go:build !unix

package atomicfile

// syncDir does nothing: the system offers no way to sync a directory.
func syncDir(string) error { return nil }
