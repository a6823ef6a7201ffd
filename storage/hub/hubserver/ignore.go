package hubserver

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// ignoreFile says in the root of a revision which files are not to be published.
const ignoreFile = ".gitignore"

// ignores are the patterns of a root .gitignore.
type ignores struct {
	matcher gitignore.Matcher
	size    int // bytes of the patterns
}

func parseIgnores(text string) *ignores {
	var patterns []gitignore.Pattern
	size := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.HasSuffix(line, `\ `) {
			line = strings.TrimRight(line, " \t")
		}
		patterns = append(patterns, gitignore.ParsePattern(line, nil))
		size += len(line)
	}
	return &ignores{gitignore.NewMatcher(patterns), size}
}

// affords says whether paths of so many bytes may be matched.
func (i *ignores) affords(bytes int) error {
	if i.size*bytes > maxMatching {
		return badRequest("%s has %d bytes of patterns, too many for this number of files: ignore folders or suffixes instead", ignoreFile, i.size)
	}
	return nil
}

func (i *ignores) ignored(name string) bool {
	return i.matcher.Match(strings.Split(name, "/"), false)
}
