package jobs

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Details are what the owner says of a dataset, job, search or screening, and whom
// it is shared with. They can be changed at any time.
type Details struct {
	Name       string   `json:"name,omitempty"`
	Notes      string   `json:"notes,omitempty"`
	Tags       []string `json:"tags,omitempty"`        // each once, in the order given
	SharedWith []string `json:"shared_with,omitempty"` // names of tokens; "*" is every token
}

// Bounds of Details, in bytes where they are of text.
const (
	maxDetailName  = 200
	maxNotes       = 10_000
	maxTags        = 32
	maxTag         = 64
	maxSharedWith  = 100
	maxTokenName   = 64
	maxDetailsBody = 64 << 10
)

// DetailsPatch changes Details as RFC 7396 says: what is left out stays, null and
// empty values clear.
type DetailsPatch struct {
	fields  []string // that are given
	Details          // their new values
}

// ReadDetailsPatch reads the body of a PATCH. The error is an *Error of code Invalid
// that lists every problem.
func ReadDetailsPatch(r io.Reader) (DetailsPatch, error) {
	var given map[string]json.RawMessage
	body, err := io.ReadAll(io.LimitReader(r, maxDetailsBody+1))
	if err != nil {
		return DetailsPatch{}, fmt.Errorf("read details: %w", err)
	}
	if len(body) > maxDetailsBody {
		return DetailsPatch{}, &Error{Code: TooLarge, Detail: fmt.Sprintf("the body has more than %d bytes", maxDetailsBody)}
	}
	if err := json.Unmarshal(body, &given); err != nil || given == nil {
		return DetailsPatch{}, invalidDetails([]Problem{{Detail: "the body is not a JSON object of name, notes, tags and shared_with"}})
	}
	var p DetailsPatch
	var ps problems
	for _, field := range slices.Sorted(maps.Keys(given)) {
		into, ok := map[string]any{"name": &p.Name, "notes": &p.Notes, "tags": &p.Tags, "shared_with": &p.SharedWith}[field]
		if !ok {
			ps.add("/"+escapeField(field), "is none of name, notes, tags, shared_with, which can be changed")
			continue
		}
		if err := json.Unmarshal(given[field], into); err != nil {
			ps.add("/"+field, "is not %s", map[string]string{"name": "a text", "notes": "a text", "tags": "a list of texts", "shared_with": "a list of names of tokens"}[field])
			continue
		}
		p.fields = append(p.fields, field)
	}
	p.Tags, p.SharedWith = unique(p.Tags), unique(p.SharedWith)
	if ps = append(ps, p.Problems()...); len(ps) > 0 {
		return DetailsPatch{}, invalidDetails(ps)
	}
	return p, nil
}

func invalidDetails(ps []Problem) error {
	return &Error{Code: Invalid, Detail: "the details cannot be changed to this", Problems: ps}
}

func escapeField(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s[:min(len(s), 64)])
}

// Names reports whether the patch gives a name, and which.
func (p DetailsPatch) Names() (name string, ok bool) {
	return p.Name, slices.Contains(p.fields, "name")
}

// Apply changes d. It reports whether anything is now different.
func (p DetailsPatch) Apply(d *Details) bool {
	was := *d
	for _, field := range p.fields {
		switch field {
		case "name":
			d.Name = p.Name
		case "notes":
			d.Notes = p.Notes
		case "tags":
			d.Tags = p.Tags
		case "shared_with":
			d.SharedWith = p.SharedWith
		}
	}
	return was.Name != d.Name || was.Notes != d.Notes || !slices.Equal(was.Tags, d.Tags) || !slices.Equal(was.SharedWith, d.SharedWith)
}

// Problems lists the values that cannot be.
func (d Details) Problems() []Problem {
	var ps problems
	if len(d.Name) > maxDetailName {
		ps.add("/name", "has %d bytes, more than %d", len(d.Name), maxDetailName)
	} else if !printable(d.Name, false) {
		ps.add("/name", "holds a line break or another character that cannot be shown")
	}
	if len(d.Notes) > maxNotes {
		ps.add("/notes", "has %d bytes, more than %d", len(d.Notes), maxNotes)
	} else if !printable(d.Notes, true) {
		ps.add("/notes", "holds a character that cannot be shown")
	}
	if len(d.Tags) > maxTags {
		ps.add("/tags", "has %d entries, more than %d", len(d.Tags), maxTags)
	}
	for i, tag := range d.Tags {
		if tag == "" || len(tag) > maxTag || !printable(tag, false) {
			ps.add(fmt.Sprintf("/tags/%d", i), "is not a text of 1 to %d bytes on one line", maxTag)
		}
	}
	if len(d.SharedWith) > maxSharedWith {
		ps.add("/shared_with", "has %d entries, more than %d: share with everyone by \"*\"", len(d.SharedWith), maxSharedWith)
	}
	for i, name := range d.SharedWith {
		if name == "" || len(name) > maxTokenName || !printable(name, false) {
			ps.add(fmt.Sprintf("/shared_with/%d", i), "is not the name of a token, nor \"*\"")
		}
	}
	return ps
}

// printable reports whether people can read s.
func printable(s string, lines bool) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !(lines && (r == '\n' || r == '\r' || r == '\t'))
	})
}

// unique leaves out what stands in a list before.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
