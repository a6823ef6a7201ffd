package hub

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on names and paths, in bytes.
const (
	maxNamePart  = 96
	maxReference = 200
	maxPath      = 1024
	maxPathPart  = 255
	maxPathDepth = 32 // parts of a path
)

// NameError says which rule a name breaks. It has the same words wherever a name
// is checked: before a job begins, in the client and on the embedded Hub.
type NameError struct {
	Kind   string // "repository", "branch", "tag" or "path"
	Value  string
	Detail string // what is wrong with it, and what to do
}

func (e *NameError) Error() string { return fmt.Sprintf("hub: %s %q: %s", e.Kind, e.Value, e.Detail) }

var repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// reserved are namespaces that would be taken for something else in an address.
var reserved = map[string]bool{"api": true, "models": true, "datasets": true, "spaces": true, "kernels": true, "buckets": true}

// CheckRepo says whether repo is a repository's full name, "namespace/name"; the
// error is a *NameError.
func CheckRepo(repo string) error {
	bad := func(format string, args ...any) error {
		return &NameError{"repository", repo, fmt.Sprintf(format, args...)}
	}
	namespace, name, ok := strings.Cut(repo, "/")
	if !ok || namespace == "" || name == "" {
		return bad("want namespace/name, such as acme/tg")
	}
	if reserved[strings.ToLower(namespace)] {
		return bad("%q is reserved and no namespace: choose another, such as acme/%s", namespace, name)
	}
	for _, s := range []string{namespace, name} {
		switch {
		case len(s) > maxNamePart:
			return bad("%.20q… has %d characters: use at most %d", s, len(s), maxNamePart)
		case !repoName.MatchString(s):
			return bad("%q may hold only letters, digits, '.', '_' and '-', and begins with a letter or digit", s)
		case strings.Contains(s, "--"), strings.Contains(s, ".."):
			return bad("%q must not hold two hyphens or two dots in a row: use one", s)
		case strings.HasSuffix(s, "."), strings.HasSuffix(s, "-"):
			return bad("%q must not end in %q: leave it away", s, s[len(s)-1:])
		case hasSuffixFold(s, ".git"), hasSuffixFold(s, ".ipynb"):
			return bad("%q must not end in %q: leave it away", s, s[strings.LastIndexByte(s, '.'):])
		case isDevice(s):
			return bad("%q is the name of a device on Windows: choose another", s)
		}
	}
	return nil
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// isDevice holds for what Windows takes for a device, whatever follows a dot.
func isDevice(s string) bool {
	s, _, _ = strings.Cut(strings.ToUpper(s), ".")
	switch s {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(s) == 4 && (s[:3] == "COM" || s[:3] == "LPT") && s[3] >= '1' && s[3] <= '9'
}

// version matches what tags of versions look like.
var version = regexp.MustCompile(`^[vV]?\d+\.\d+\.\d+([-+.].*)?$`)

// CheckBranch says whether a branch may have this name; the error is a *NameError.
// A name that looks like a version is left to tags, which would hide the branch
// or be hidden by it.
func CheckBranch(name string) error {
	if err := checkReference("branch", name); err != nil {
		return err
	}
	if version.MatchString(name) {
		return &NameError{"branch", name, "names of versions are tags: call the branch otherwise, such as release-" + name}
	}
	return nil
}

// CheckTag says whether a tag may have this name; the error is a *NameError.
func CheckTag(name string) error { return checkReference("tag", name) }

// checkReference holds what git's check-ref-format says, and that no name can be
// taken for a commit, a full reference or HEAD.
func checkReference(kind, name string) error {
	bad := func(detail string) error { return &NameError{kind, name, detail} }
	switch {
	case name == "":
		return bad("the name is empty: give one, such as main")
	case len(name) > maxReference:
		return bad(fmt.Sprintf("it has %d bytes: use at most %d", len(name), maxReference))
	case strings.EqualFold(name, "HEAD"), name == "@":
		return bad("git itself uses this name: choose another, such as main")
	case strings.HasPrefix(name, "refs/"):
		return bad("give the short name, without refs/ and what follows it")
	case commitID.MatchString(name):
		return bad("it looks like a commit: choose a name that is not 40 hexadecimal digits")
	case strings.HasPrefix(name, "-"):
		return bad("it must not begin with a hyphen: leave it away")
	case strings.Contains(name, ".."), strings.Contains(name, "@{"):
		return bad(`git refuses ".." and "@{" in names: leave them away`)
	case !utf8.ValidString(name):
		return bad("it is not valid UTF-8: use letters, digits, '.', '_', '-' and '/'")
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\<>|"`, r) || !unicode.IsPrint(r) {
			return bad(fmt.Sprintf("the character %q is not allowed: use letters, digits, '.', '_', '-' and '/'", r))
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "":
			return bad("a slash stands between two names: leave away the one at the beginning, at the end or doubled")
		case strings.HasPrefix(part, "."), strings.HasSuffix(part, "."):
			return bad(fmt.Sprintf("%q must neither begin nor end with a dot", part))
		case hasSuffixFold(part, ".lock"):
			return bad(fmt.Sprintf("%q must not end in .lock", part))
		case isDevice(part):
			return bad(fmt.Sprintf("%q is the name of a device on Windows: choose another", part))
		}
	}
	return nil
}

// drive matches what Windows takes for a path on a drive.
var drive = regexp.MustCompile(`^[A-Za-z]:`)

// CheckPath says whether a path may stand in a revision: relative,
// slash-separated, without "." or ".." elements, with no element that git takes
// for its own folder on any system, Windows and macOS included. Otherwise it
// holds what git accepts. The error is a *NameError.
func CheckPath(p string) error {
	bad := func(format string, args ...any) error {
		return &NameError{"path", p, fmt.Sprintf(format, args...)}
	}
	switch {
	case p == "":
		return bad("the path is empty")
	case len(p) > maxPath:
		return bad("it has %d bytes: use at most %d", len(p), maxPath)
	case !utf8.ValidString(p):
		return bad("it is not valid UTF-8: rename the file")
	case strings.Count(p, "/") >= maxPathDepth:
		return bad("it lies in %d folders: use at most %d", strings.Count(p, "/"), maxPathDepth-1)
	}
	for _, r := range p {
		if r < ' ' || r == 0x7f {
			return bad("the character %q is not allowed: rename the file", r)
		}
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "":
			return bad("a slash stands between two names: leave away the one at the beginning, at the end or doubled")
		case len(part) > maxPathPart:
			return bad("%.20q… has %d bytes: use at most %d", part, len(part), maxPathPart)
		case drive.MatchString(part), part[0] == '\\':
			return bad("%q begins like a drive or a root of Windows, and clients refuse to download it: rename it", part)
		}
		// On Windows a backslash separates folders.
		for name := range strings.SplitSeq(part, `\`) {
			if name == "." || name == ".." {
				return bad("%q is not a name: give the path without it", name)
			}
			if isDotGit(name) {
				return bad("git takes %q for its own folder on some system: rename it", name)
			}
		}
	}
	return nil
}

// isDotGit holds for each name that some file system has for ".git": in other
// case, followed by dots, blanks or a stream, by its short name, or with
// characters in it that HFS+ ignores.
func isDotGit(name string) bool {
	name = strings.ToLower(strings.Map(func(r rune) rune {
		if r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff {
			return -1
		}
		return r
	}, name))
	name, _, _ = strings.Cut(name, ":")
	switch strings.TrimRight(name, ". ") {
	case ".git", "git~1":
		return true
	}
	return false
}
