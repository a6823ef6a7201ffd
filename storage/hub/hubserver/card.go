package hubserver

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// frontMatter matches the YAML that a model card begins with.
var frontMatter = regexp.MustCompile(`\A---[ \t]*\r?\n((?s:.*?))(?:\r?\n)?---[ \t]*(?:\r?\n|\z)`)

// cutFrontMatter splits a model card into its YAML, which may be empty, and its text.
func cutFrontMatter(card []byte) (meta, body []byte) {
	m := frontMatter.FindSubmatchIndex(card)
	if m == nil {
		return nil, card
	}
	return card[m[2]:m[3]], card[m[1]:]
}

// fact is a line of the front matter that is shown.
type fact struct {
	Name   string
	Values []string
}

// facts reads what a card says of the model in its front matter; of YAML that
// is none, nothing.
func facts(meta []byte) []fact {
	var m map[string]any
	if yaml.Unmarshal(meta, &m) != nil {
		return nil
	}
	var out []fact
	for _, key := range []string{"license", "library_name", "pipeline_tag", "datasets", "metrics", "tags"} {
		f := fact{Name: strings.ReplaceAll(strings.TrimSuffix(key, "_name"), "_", " ")}
		switch v := m[key].(type) {
		case string:
			f.Values = []string{v}
		case []any:
			for _, e := range v {
				if s, ok := e.(string); ok {
					f.Values = append(f.Values, s)
				}
			}
		}
		if f.Values != nil {
			out = append(out, f)
		}
	}
	return out
}

// markdown renders the Markdown of repositories, which may hold any HTML, to
// HTML that may stand in a page.
type markdown struct {
	md     goldmark.Markdown
	policy func(images string) *bluemonday.Policy
}

func newMarkdown() markdown {
	return markdown{
		md: goldmark.New(goldmark.WithExtensions(extension.Linkify, extension.Strikethrough,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
			goldmark.WithParserOptions(parser.WithAutoHeadingID()), goldmark.WithRendererOptions(html.WithUnsafe())),
		policy: func(images string) *bluemonday.Policy {
			p := bluemonday.UGCPolicy()
			p.AllowAttrs("id").Matching(regexp.MustCompile(`^`+idPrefix+`[\p{L}\p{N}_-]+$`)).OnElements("h1", "h2", "h3", "h4", "h5", "h6")
			p.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|right|center)$`)).OnElements("td", "th", "p", "div", "img")
			p.RequireNoFollowOnLinks(true)
			p.RewriteSrc(func(u *url.URL) { // only images of the repository itself are loaded
				if u.Scheme == "" && u.Host == "" && u.Path != "" {
					*u = *resolveLink(images, u)
				}
			})
			return p
		},
	}
}

// render renders a file: what it links to relative to itself is below links,
// its images are below images.
func (m markdown) render(source []byte, links, images string) (template.HTML, error) {
	doc := m.md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(ids{}))))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading: // below the page's own
			n.Level = min(n.Level+1, 6)
		case *ast.Link:
			u, err := url.Parse(string(n.Destination))
			switch {
			case err != nil || u.Scheme != "" || u.Host != "":
			case u.Path != "":
				n.Destination = []byte(resolveLink(links, u).String())
			case u.Fragment != "":
				n.Destination = []byte("#" + idPrefix + u.EscapedFragment())
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", fmt.Errorf("hubserver: markdown: %w", err)
	}
	var b bytes.Buffer
	if err := m.md.Renderer().Render(&b, source, doc); err != nil {
		return "", fmt.Errorf("hubserver: markdown: %w", err)
	}
	clean := emptyHead.ReplaceAllString(m.policy(images).SanitizeReader(&b).String(), "")
	clean = scrollable.Replace(clean)
	return template.HTML(imageTag.ReplaceAllStringFunc(clean, func(tag string) string {
		if strings.Contains(tag, " alt=") {
			return tag
		}
		return strings.TrimSuffix(tag, ">") + ` alt="">` // else its address would be read out
	})), nil
}

// emptyHead matches the head that Markdown makes even tables without one have.
var emptyHead = regexp.MustCompile(`<thead>\s*<tr>(\s*<th[^>]*></th>)+\s*</tr>\s*</thead>`)

// imageTag matches an image in clean HTML, where no attribute holds a ">".
var imageTag = regexp.MustCompile(`<img [^>]*>`)

// scrollable lets what may be wider than a page be scrolled, with a keyboard too.
// In clean HTML no text holds a "<".
var scrollable = strings.NewReplacer("<table>", `<div class="table" tabindex="0"><table>`, "</table>", "</table></div>", "<pre>", `<pre tabindex="0">`)

// idPrefix keeps the headings of a card apart from what the page around it names.
const idPrefix = "card-"

// ids names headings after their text.
type ids map[string]bool

// Generate implements parser.IDs.
func (taken ids) Generate(value []byte, _ ast.NodeKind) []byte {
	var b strings.Builder
	b.WriteString(idPrefix)
	for _, r := range strings.ToLower(strings.TrimSpace(string(value))) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '-':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	id := b.String()
	for n := 1; taken[id] || id == idPrefix; n++ {
		id = b.String() + "-" + strconv.Itoa(n)
	}
	taken[id] = true
	return []byte(id)
}

// Put implements parser.IDs.
func (taken ids) Put(value []byte) { taken[string(value)] = true }

// resolveLink is where a relative address leads from a folder, which it does
// not leave upwards.
func resolveLink(folder string, u *url.URL) *url.URL {
	out := *u
	p := path.Clean("/" + u.EscapedPath())
	out.Path, _ = url.PathUnescape(folder + p) // of what EscapedPath made
	out.RawPath = folder + p
	return &out
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
	var m map[string]any
	if err := yaml.Unmarshal(meta, &m); err != nil {
		errs = append(errs, message{"The metadata is not YAML: " + yaml.FormatError(err, false, false)})
	}
	return answer(w, map[string]any{"errors": errs, "warnings": []message{}})
}
