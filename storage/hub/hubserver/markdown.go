package hubserver

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// Limits on Markdown that is rendered. What is beyond them, or beyond what
// affordable allows, is shown as the text it is.
const (
	maxMarkdown = 128 << 10 // bytes of the source
	maxRendered = 2 << 20   // bytes of the HTML
	maxCached   = 16        // files whose HTML is remembered
)

// markdown renders the Markdown of repositories, which may hold any HTML, to
// HTML that may stand in a page. A file is rendered once for as long as its HTML
// is remembered, and no more than two are rendered at a time.
type markdown struct {
	md      goldmark.Markdown
	cache   *lru.Cache[[sha256.Size]byte, template.HTML]
	working chan struct{}
}

func newMarkdown() markdown {
	cache, err := lru.New[[sha256.Size]byte, template.HTML](maxCached)
	if err != nil {
		panic(err) // the size is positive
	}
	return markdown{
		md: goldmark.New(goldmark.WithExtensions(extension.Linkify, extension.Strikethrough,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
			goldmark.WithParserOptions(parser.WithAutoHeadingID()), goldmark.WithRendererOptions(html.WithUnsafe())),
		cache:   cache,
		working: make(chan struct{}, 2),
	}
}

// render renders a file: what it links to relative to itself is below links,
// its images are below images. Its cost is bounded whatever the source holds.
func (m markdown) render(source []byte, links, images string) template.HTML {
	key := sha256.Sum256(fmt.Appendf(nil, "%q %q %s", links, images, source))
	if out, ok := m.cache.Get(key); ok {
		return out
	}
	m.working <- struct{}{}
	defer func() { <-m.working }()
	if out, ok := m.cache.Get(key); ok { // by whoever rendered it meanwhile
		return out
	}
	out, err := m.renderBounded(source, links, images)
	if err != nil {
		out = plainText(source)
	}
	m.cache.Add(key, out)
	return out
}

// plainText shows Markdown that is not rendered.
func plainText(source []byte) template.HTML {
	note := ""
	if len(source) > maxShown {
		source, note = source[:maxShown], "<p>The beginning only.</p>"
	}
	return template.HTML("<p>This file is too large or too intricate to be laid out; this is its text.</p>" + note +
		`<pre tabindex="0">` + template.HTMLEscapeString(strings.ToValidUTF8(string(source), "\uFFFD")) + "</pre>")
}

// errIntricate means that a file is shown as text.
var errIntricate = errors.New("hubserver: the Markdown is beyond what is rendered")

func (m markdown) renderBounded(source []byte, links, images string) (template.HTML, error) {
	if len(source) > maxMarkdown || !affordable(source) {
		return "", errIntricate
	}
	doc := m.md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(ids{}))))
	room := maxRendered // bytes of addresses: a long one may be referred to from many places
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading: // below the page's own
			n.Level = min(n.Level+1, 6)
		case *ast.Image:
			room -= len(n.Destination) + len(n.Title) + len(images)
		case *ast.Link:
			if room -= len(n.Destination) + len(n.Title) + len(links); room < 0 {
				return ast.WalkStop, errIntricate
			}
			n.Destination = linkFrom(links, n.Destination)
		}
		if room < 0 {
			return ast.WalkStop, errIntricate
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", err
	}
	b := &limitedBuffer{room: maxRendered}
	if err := m.md.Renderer().Render(b, source, doc); err != nil {
		return "", err
	}
	return finish(cardPolicy(images).SanitizeReader(&b.Buffer).String())
}

// linkFrom is where a link of a file below folder leads.
func linkFrom(folder string, destination []byte) []byte {
	u, err := url.Parse(string(destination))
	switch {
	case err != nil || u.Scheme != "" || u.Host != "":
	case u.Path != "":
		return []byte(resolveLink(folder, u).String())
	case u.Fragment != "":
		return []byte("#" + idPrefix + u.EscapedFragment())
	}
	return destination
}

// finish makes clean HTML fit for the page.
func finish(clean string) (template.HTML, error) {
	clean = scrollable.Replace(emptyHead.ReplaceAllString(clean, ""))
	clean = imageTag.ReplaceAllStringFunc(clean, func(tag string) string {
		if strings.Contains(tag, " alt=") {
			return tag
		}
		return strings.TrimSuffix(tag, ">") + ` alt="">` // else its address would be read out
	})
	if len(clean) > 2*maxRendered {
		return "", errIntricate
	}
	return template.HTML(clean), nil
}

// limitedBuffer fails once it holds more than it has room for.
type limitedBuffer struct {
	bytes.Buffer
	room int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, errIntricate
	}
	return b.Buffer.Write(p)
}

// cardPolicy allows what a card may hold. What it names itself begins with
// idPrefix, so that it is never what the page around it names.
func cardPolicy(images string) *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "span", "br", "hr", "blockquote", "pre", "code", "kbd", "samp", "var",
		"em", "strong", "b", "i", "u", "s", "del", "ins", "mark", "small", "sub", "sup", "q", "cite", "abbr", "dfn", "time",
		"ul", "ol", "li", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "section", "article", "center")
	p.AllowTables()
	p.AllowStandardURLs()
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("title").Matching(bluemonday.Paragraph).OnElements("a", "img", "abbr")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("open").Matching(regexp.MustCompile(`^$`)).OnElements("details")
	p.AllowAttrs("alt").Matching(bluemonday.Paragraph).OnElements("img")
	p.AllowAttrs("width", "height").Matching(bluemonday.NumberOrPercent).OnElements("img")
	p.AllowAttrs("src").OnElements("img")
	p.AllowAttrs("id").Matching(ownID).OnElements("h1", "h2", "h3", "h4", "h5", "h6")
	p.AllowAttrs("align").Matching(alignment).OnElements("td", "th", "p", "div", "img")
	p.RequireNoFollowOnLinks(true)
	p.RewriteSrc(func(u *url.URL) { // only images of the repository itself are loaded
		if u.Scheme == "" && u.Host == "" && u.Path != "" {
			*u = *resolveLink(images, u)
		}
	})
	return p
}

var (
	ownID     = regexp.MustCompile(`^` + idPrefix + `[\p{L}\p{N}_-]+$`)
	alignment = regexp.MustCompile(`^(left|right|center)$`)
	// emptyHead matches the head that Markdown makes even tables without one have.
	emptyHead = regexp.MustCompile(`<thead>\s*<tr>(\s*<th[^>]*></th>)+\s*</tr>\s*</thead>`)
	// imageTag matches an image in clean HTML, where no attribute holds a ">".
	imageTag = regexp.MustCompile(`<img [^>]*>`)
)

// scrollable lets what may be wider than a page be moved sideways, with a keyboard too.
// In clean HTML no text holds a "<".
var scrollable = strings.NewReplacer("<table>", `<div class="table" tabindex="0"><table>`, "</table>", "</table></div>", "<pre>", `<pre tabindex="0">`)

// idPrefix keeps the headings of a card apart from what the page around it names.
const idPrefix = "card-"

// maxID bounds what is taken of a heading for its name, in bytes.
const maxID = 100

// ids names headings after their text; it holds how often a name was asked for.
type ids map[string]int

// Generate implements parser.IDs.
func (taken ids) Generate(value []byte, _ ast.NodeKind) []byte {
	var b strings.Builder
	b.WriteString(idPrefix)
	for _, r := range strings.ToLower(strings.TrimSpace(string(value))) {
		if b.Len() > maxID {
			break
		}
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '-':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	base := b.String()
	id, n := base, taken[base]
	if n > 0 || base == idPrefix {
		// The count goes on from where it was: equal headings cost no search each.
		for n = max(n, 1); ; n++ {
			if id = base + "-" + strconv.Itoa(n); taken[id] == 0 {
				break
			}
		}
		taken[id] = 1
	}
	taken[base] = n + 1
	return []byte(id)
}

// Put implements parser.IDs.
func (taken ids) Put(value []byte) { taken[string(value)]++ }

// resolveLink is where a relative address leads from a folder, which it does
// not leave upwards.
func resolveLink(folder string, u *url.URL) *url.URL {
	out := *u
	p := path.Clean("/" + u.EscapedPath())
	out.Path, _ = url.PathUnescape(folder + p) // of what EscapedPath made
	out.RawPath = folder + p
	return &out
}
