// Package web draws the service's pages: templates in one shared frame, and the
// scripts and styles they use, all out of the binary. It knows nothing of jobs
// or HTTP routes; the areas of httpapi hand it what to show.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/vearutop/statigz"
)

//go:embed *.html
var templates embed.FS

//go:embed static
var static embed.FS

// Policy is the content-security policy of every page: scripts, styles and
// requests of this server alone, and no script or style inside a page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Link is an entry of the navigation.
type Link struct{ Path, Label string }

// Frame is what surrounds every page.
type Frame struct {
	Nav     []Link
	Active  string // the path of the entry that the page belongs to
	User    string // who is logged in, "" where nobody needs to
	Version string // of the code
}

// Page is one page: a template with its data, and what the browser runs on it.
type Page struct {
	Title    string
	Template string // a file of this package, such as "train.html"
	Script   string // a module of static, such as "train.js"; may be empty
	Data     any
	Frame    Frame
}

// Pages draws pages. It is safe for concurrent use.
type Pages struct {
	prefix string // of assets' paths, with a hash of all of them
	files  http.Handler
	sets   map[string]*template.Template
}

// assetsPath is where static files are served, under a segment that changes
// with any of them: so they may be kept for ever, and import one another by
// relative paths.
const assetsPath = "/static/"

// New reads the templates and compresses the assets. It panics on a template
// that does not parse, which a build would not have passed.
func New() *Pages {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err)
	}
	p := &Pages{prefix: assetsPath + digest(files) + "/", sets: map[string]*template.Template{}}
	p.files = http.StripPrefix(strings.TrimSuffix(p.prefix, "/"), statigz.FileServer(static, statigz.FSPrefix("static"), statigz.EncodeOnInit))
	funcs := template.FuncMap{
		"asset":    func(name string) string { return p.prefix + name },
		"json":     marshal,
		"time":     func(t time.Time) template.HTML { return timeTag(t) },
		"duration": Duration,
		"bytes":    Bytes,
		"number":   Number,
		"scores":   scores,
		"score":    score,
		"compare":  compare,
		"join":     func(list []string, by string) string { return strings.Join(list, by) },
		"field":    field,
		"folds":    foldsFromOne,
		"place":    func(index int) int { return index + 1 },
	}
	frame := template.Must(template.New("").Funcs(funcs).ParseFS(templates, "frame.html"))
	names, err := fs.Glob(templates, "*.html")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		if name != "frame.html" {
			p.sets[name] = template.Must(template.Must(frame.Clone()).ParseFS(templates, name))
		}
	}
	return p
}

// Draw is a page's HTML.
func (p *Pages) Draw(page Page) ([]byte, error) {
	set, ok := p.sets[page.Template]
	if !ok {
		return nil, fmt.Errorf("drawing %q: no such template", page.Template)
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, "frame", page); err != nil {
		return nil, fmt.Errorf("drawing %s: %w", page.Template, err)
	}
	return b.Bytes(), nil
}

// AssetsPath is the prefix under which ServeHTTP answers.
func (*Pages) AssetsPath() string { return assetsPath }

// ServeHTTP serves the static files. A path of another build of the program is
// answered with the file of this one, and not kept.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, p.prefix) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else if _, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, assetsPath), "/"); ok {
		w.Header().Set("Cache-Control", "no-store")
		r.URL.Path = p.prefix + name
	}
	p.files.ServeHTTP(w, r)
}

// digest changes with any file's name or contents.
func digest(files fs.FS) string {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		fmt.Fprintf(h, "%s %d\n", path, len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// marshal puts data into a page, inside <script type="application/json">: the
// encoder escapes what could end the element.
func marshal(v any) (template.JS, error) {
	b, err := json.Marshal(v)
	return template.JS(b), err
}
