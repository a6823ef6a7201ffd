package hubserver

import (
	"path"
	"strconv"
	"strings"
)

// attributesFile says in each revision which of its files git-lfs fetches.
const attributesFile = ".gitattributes"

// attributes is the first file of every repository.
const attributes = `*.safetensors filter=lfs diff=lfs merge=lfs -text
*.h5 filter=lfs diff=lfs merge=lfs -text
*.keras filter=lfs diff=lfs merge=lfs -text
*.pk filter=lfs diff=lfs merge=lfs -text
*.bin filter=lfs diff=lfs merge=lfs -text
*.png filter=lfs diff=lfs merge=lfs -text
`

// lfsRules are the lines of a .gitattributes that set or unset the filter lfs.
type lfsRules []lfsRule

type lfsRule struct {
	pattern string
	lfs     bool
}

func parseAttributes(text string) lfsRules {
	var rules lfsRules
	for line := range strings.Lines(text) {
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' || line[0] == '!' || strings.HasPrefix(line, "[attr]") {
			continue
		}
		pattern, rest := line, ""
		if i := strings.IndexAny(line, " \t"); i > 0 {
			pattern, rest = line[:i], line[i:]
		}
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			pattern, _ = strconv.Unquote(quoted) // it is quoted
			rest = line[len(quoted):]
		}
		for _, a := range strings.Fields(rest) {
			if name := strings.TrimLeft(a, "-!"); name == "filter" || strings.HasPrefix(name, "filter=") {
				rules = append(rules, lfsRule{strings.ReplaceAll(pattern, "[[:space:]]", "?"), a == "filter=lfs"})
			}
		}
	}
	return rules
}

// lfs reports whether the last rule that knows a file has git-lfs fetch it.
func (r lfsRules) lfs(name string) bool {
	for i := len(r) - 1; i >= 0; i-- {
		if r[i].matches(name) {
			return r[i].lfs
		}
	}
	return false
}

func (r lfsRule) matches(name string) bool {
	if !strings.Contains(r.pattern, "/") {
		ok, err := path.Match(r.pattern, path.Base(name))
		return ok && err == nil
	}
	return matchParts(strings.Split(strings.TrimPrefix(r.pattern, "/"), "/"), strings.Split(name, "/"))
}

// matchParts matches folder by folder, where ** stands for any number of them.
// After a mismatch the last ** takes one folder more.
func matchParts(pattern, name []string) bool {
	if n := len(pattern); pattern[n-1] == "**" { // what is inside, not the folder
		pattern = append(pattern, "*")
	}
	star, from := -1, 0
	i, j := 0, 0
	for j < len(name) {
		if i < len(pattern) && pattern[i] == "**" {
			star, from = i, j
			i++
			continue
		}
		if i < len(pattern) {
			if ok, err := path.Match(pattern[i], name[j]); ok && err == nil {
				i, j = i+1, j+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		i, j = star+1, from
	}
	return i == len(pattern)
}

// lfsLine is the line that has git-lfs fetch one file.
func lfsLine(name string) string {
	var b strings.Builder
	b.WriteByte('/')
	for _, r := range name {
		switch {
		case r == ' ':
			b.WriteByte('?')
			continue
		case r == '[' || r == ']':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String() + " filter=lfs diff=lfs merge=lfs -text\n"
}
