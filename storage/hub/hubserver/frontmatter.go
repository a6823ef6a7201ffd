package hubserver

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits on a card's front matter. They are checked before it is parsed or while
// it is, and keep the cost in proportion to its size.
const (
	maxMetadata      = 64 << 10 // bytes
	maxMetadataDepth = 32       // levels of lists and mappings
	maxAliases       = 100
)

// cutFrontMatter splits a model card into its YAML, which may be empty, and its
// text: the YAML stands between two lines of three hyphens, the first of them the
// card's first line.
func cutFrontMatter(card []byte) (meta, body []byte) {
	first, rest, found := bytes.Cut(card, []byte("\n"))
	if !found || !isFence(first) {
		return nil, card
	}
	for from := 0; from < len(rest); {
		line, _, _ := bytes.Cut(rest[from:], []byte("\n"))
		next := min(from+len(line)+1, len(rest))
		if isFence(line) {
			return rest[:from], rest[next:]
		}
		from = next
	}
	return nil, card
}

func isFence(line []byte) bool { return string(bytes.TrimRight(line, " \t\r")) == "---" }

// metadata is what a card's front matter says: the values of its top level by
// key. A key with a list has several.
type metadata struct{ root *yaml.Node }

// parseMetadata parses front matter. The nodes are as they stand in the text:
// aliases and merges are never expanded. Empty front matter holds nothing.
func parseMetadata(text []byte) (metadata, error) {
	if len(text) > maxMetadata {
		return metadata{}, fmt.Errorf("it has %d bytes; at most %d are read", len(text), maxMetadata)
	}
	if n := bytes.Count(text, []byte("*")); n > maxAliases {
		// An asterisk need not be an alias, but so many are no metadata.
		return metadata{}, fmt.Errorf("it has %d asterisks, which may be aliases; at most %d are read", n, maxAliases)
	}
	if depth := flowDepth(text); depth > maxMetadataDepth {
		return metadata{}, fmt.Errorf("its brackets are nested %d deep; at most %d levels are read", depth, maxMetadataDepth)
	}
	var doc yaml.Node
	err := yaml.Load(text, &doc, yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxMetadataDepth), loaderlimits.AliasValue(maxAliases))))
	switch {
	case err != nil && len(bytes.TrimSpace(text)) == 0:
		return metadata{}, nil
	case err != nil:
		return metadata{}, err
	case doc.Kind != yaml.DocumentNode || len(doc.Content) == 0:
		return metadata{}, nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return metadata{}, nil
	}
	if root.Kind != yaml.MappingNode {
		return metadata{}, errors.New("it is not a mapping of names to values")
	}
	return metadata{root}, nil
}

// flowDepth is an upper bound of how deep flow collections are nested.
func flowDepth(text []byte) int {
	depth, deepest := 0, 0
	for _, b := range text {
		switch b {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return deepest
}

// values returns the text or texts that stand under a key of the top level.
func (m metadata) values(key string) []string {
	if m.root == nil {
		return nil
	}
	for i := 0; i+1 < len(m.root.Content); i += 2 {
		if m.root.Content[i].Value == key {
			return texts(m.root.Content[i+1])
		}
	}
	return nil
}

// value is the text under a key, empty if there is none or a list.
func (m metadata) value(key string) string {
	if v := m.values(key); len(v) == 1 {
		return v[0]
	}
	return ""
}

// plain returns the whole as values of JSON. An alias stands for a text only.
func (m metadata) plain() any { return plain(m.root) }

func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, e := range n.Content {
			out = append(out, plain(e))
		}
		return out
	}
	text, ok := scalarText(n)
	if !ok {
		return nil
	}
	switch n.Tag {
	case "!!int", "!!float":
		if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			return x
		}
	case "!!bool":
		return strings.EqualFold(text, "true")
	}
	return text
}

func texts(n *yaml.Node) []string {
	if s, ok := scalarText(n); ok {
		return []string{s}
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	var out []string
	for _, e := range n.Content {
		if s, ok := scalarText(e); ok {
			out = append(out, s)
		}
	}
	return out
}

func scalarText(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n.Value, n.Kind == yaml.ScalarNode && n.Tag != "!!null" && n.Value != ""
}

// fact is a line of the front matter that is shown.
type fact struct {
	Name   string
	Values []string
}

// facts reads what a card says of the model in its front matter; of YAML that
// is none, nothing.
func facts(meta []byte) []fact {
	m, err := parseMetadata(meta)
	if err != nil {
		return nil
	}
	var out []fact
	for _, key := range []string{"license", "library_name", "pipeline_tag", "datasets", "metrics", "tags"} {
		if v := m.values(key); v != nil {
			out = append(out, fact{strings.ReplaceAll(strings.TrimSuffix(key, "_name"), "_", " "), v})
		}
	}
	return out
}

// validateYAML says whether a card's front matter is YAML. What it should hold
// the public Hub alone decides.
func (s *Server) validateYAML(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Content string }
	if err := read(w, r, &in); err != nil {
		return err
	}
	type message struct {
		Message string `json:"message"`
	}
	errs := []message{}
	meta, _ := cutFrontMatter([]byte(in.Content))
	if _, err := parseMetadata(meta); err != nil {
		errs = append(errs, message{"The metadata at the beginning of the card cannot be used: " + err.Error()})
	}
	return answer(w, map[string]any{"errors": errs, "warnings": []message{}})
}
