package structure

import (
	"fmt"
	"regexp"
	"strings"
)

// harmless are the parts of a CXSMILES extension that leave the molecule as it is:
// coordinates, labels, properties of atoms, enhanced stereo groups.
var harmless = regexp.MustCompile(`^(\(.*\)|\$.*\$|atomProp:.*|[&ao]\d*:[\d,]*|lp:[\d:,]*|)$`)

// Extension says what stands behind a SMILES, after a blank, and is not read: a
// name, or an extension between bars (CXSMILES). An extension that would change
// the molecule, or that nobody can read, is an *Error; note is "" where there is
// nothing behind.
func Extension(text string) (note string, err error) {
	core, behind, ok := strings.Cut(strings.TrimSpace(text), " ")
	if !ok {
		core, behind, ok = strings.Cut(strings.TrimSpace(text), "\t")
	}
	behind = strings.TrimSpace(behind)
	if !ok || behind == "" {
		return "", nil
	}
	if behind[0] != '|' {
		return fmt.Sprintf("%.40q behind the SMILES is not read", behind), nil
	}
	inner, rest, closed := strings.Cut(behind[1:], "|")
	refuse := func(why string) (string, error) {
		return "", &Error{Code: "extension", Monomer: -1, Pos: len(core) + 2, Detail: fmt.Sprintf("the extension %.40q behind the SMILES %s: leave it out if the molecule is meant without it", behind, why)}
	}
	if !closed {
		return refuse("is not closed by a |")
	}
	for _, part := range parts(inner) {
		if !harmless.MatchString(part) {
			return refuse(fmt.Sprintf("has %.20q, which changes the molecule or is none that is known", part))
		}
	}
	if rest = strings.TrimSpace(rest); rest != "" {
		return fmt.Sprintf("the extension and %.40q behind the SMILES are not read", rest), nil
	}
	return fmt.Sprintf("the extension %.40q behind the SMILES is not read", behind), nil
}

// parts divides an extension at the commas between its features, which are not
// those within parentheses, labels or lists of atoms.
func parts(inner string) []string {
	var out []string
	start, round, label := 0, 0, false
	for i := range len(inner) {
		switch c := inner[i]; {
		case c == '$':
			label = !label
		case label:
		case c == '(':
			round++
		case c == ')':
			round--
		case c == ',' && round == 0 && i+1 < len(inner) && (inner[i+1] < '0' || inner[i+1] > '9'):
			out = append(out, inner[start:i])
			start = i + 1
		}
	}
	return append(out, inner[start:])
}
