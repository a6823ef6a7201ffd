package hubserver

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxPointer bounds an LFS pointer, in bytes; a longer blob is none.
const maxPointer = 256

// pointer is what git holds in place of content that LFS stores.
type pointer struct {
	oid  string // SHA-256
	size int64
}

var pointerPattern = regexp.MustCompile(`^version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n$`)

func (p pointer) encode() []byte {
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", p.oid, p.size)
}

// hash is the name of the pointer's blob in git.
func (p pointer) hash() plumbing.Hash {
	return plumbing.ComputeHash(plumbing.BlobObject, p.encode())
}

func parsePointer(b []byte) (p pointer, ok bool) {
	m := pointerPattern.FindSubmatch(b)
	if m == nil {
		return p, false
	}
	p.oid = string(m[1])
	p.size, _ = strconv.ParseInt(string(m[2]), 10, 64) // 15 digits fit
	return p, string(p.encode()) == string(b)
}
