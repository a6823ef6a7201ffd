package hubserver

import (
	"iter"
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

// Limits on a .gitattributes and on what is matched with it. Rules that name a
// file or a suffix are looked up; each other one is compared with each file, at a
// cost of its length times that of the name.
const (
	maxRules    = 50_000
	maxMatching = 200_000_000 // bytes of such rules times bytes of names, in one commit
)

// lfsRules are the lines of a .gitattributes that set or unset the filter lfs.
type lfsRules struct {
	paths, names, suffixes map[string]verdict // by a whole path, a last element, and an end of it that begins with a dot
	general                []lfsRule
	generalSize            int // bytes of their patterns
	count                  int
}

// verdict is what a line says, and which line it is: the last one that knows a
// file counts.
type verdict struct {
	line int
	lfs  bool
}

// lfsRule is a line whose pattern has to be tried.
type lfsRule struct {
	pattern string
	verdict
}

func parseAttributes(text string) *lfsRules {
	r := &lfsRules{paths: map[string]verdict{}, names: map[string]verdict{}, suffixes: map[string]verdict{}}
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
				r.add(strings.ReplaceAll(pattern, "[[:space:]]", "?"), a == "filter=lfs")
			}
		}
	}
	return r
}

// add takes a rule up where it is found fastest.
func (r *lfsRules) add(pattern string, lfs bool) {
	r.count++
	v := verdict{r.count, lfs}
	text, literal := unescape(pattern)
	switch suffix, isSuffix := strings.CutPrefix(pattern, "*."); {
	case strings.HasSuffix(pattern, "/"): // a folder, which no file is
	case literal && strings.Contains(pattern, "/"):
		r.paths[strings.TrimPrefix(text, "/")] = v
	case literal:
		r.names[text] = v
	case isSuffix && !strings.ContainsAny(suffix, `*?[\/`):
		r.suffixes["."+suffix] = v
	default:
		r.general = append(r.general, lfsRule{pattern, v})
		r.generalSize += len(pattern)
	}
}

// unescape returns what a pattern without wildcards matches.
func unescape(pattern string) (text string, literal bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?', '[':
			return "", false
		case '\\':
			if i++; i == len(pattern) {
				return "", false
			}
		}
		b.WriteByte(pattern[i])
	}
	return b.String(), true
}

// affords says whether names may be matched: with many rules that have to be
// tried it costs too much.
func (r *lfsRules) affords(names iter.Seq[string]) error {
	if r.count > maxRules {
		return badRequest("%s has %d rules; at most %d are read", attributesFile, r.count, maxRules)
	}
	if r.generalSize == 0 {
		return nil
	}
	cost := 0
	for name := range names {
		if cost += len(name) * r.generalSize; cost > maxMatching {
			return badRequest("%s has %d rules with wildcards, too many for this number of files: name files or suffixes such as *.bin instead",
				attributesFile, len(r.general))
		}
	}
	return nil
}

// lfs reports whether the last rule that knows a file has git-lfs fetch it.
func (r *lfsRules) lfs(name string) bool {
	base := path.Base(name)
	last := max(r.paths[name].line, r.names[base].line)
	is := r.paths[name].lfs
	if r.names[base].line == last {
		is = r.names[base].lfs
	}
	for i := range base {
		if base[i] != '.' {
			continue
		}
		if v := r.suffixes[base[i:]]; v.line > last {
			last, is = v.line, v.lfs
		}
	}
	for i := len(r.general) - 1; i >= 0 && r.general[i].line > last; i-- {
		if r.general[i].matches(name) {
			return r.general[i].lfs
		}
	}
	return is && last > 0
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
		if strings.ContainsRune(`*?[]\`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	pattern := b.String()
	if strings.Contains(pattern, " ") { // in quotes, where backslashes are doubled
		pattern = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(pattern) + `"`
	}
	return pattern + " filter=lfs diff=lfs merge=lfs -text\n"
}
