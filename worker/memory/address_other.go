//go:build !unix

package memory

import "errors"

// addressSpace has no limit here.
func addressSpace() (uint64, error) { return 0, errors.New("the address space has no limit") }
