package hubserver

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/object"
)

//go:embed web
var webFiles embed.FS

// pagePolicy lets a page load its style and the repository's images, and
// nothing else: neither scripts nor anything from elsewhere.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// stylePath is where the style is served, under a name that changes with it.
var stylePath = func() string {
	b, err := webFiles.ReadFile("web/style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return fmt.Sprintf("/_assets/style.css?%x", sha256.Sum256(b))[:32]
}()

// pages are the templates by name, each with the layout.
var pages = func() map[string]*template.Template {
	out := map[string]*template.Template{}
	for _, name := range []string{"index", "card", "files", "file", "history", "commit", "refs", "error"} {
		out[name] = template.Must(template.ParseFS(webFiles, "web/layout.html", "web/"+name+".html"))
	}
	return out
}()

// page is what all pages show. Those of a repository embed it with ID set.
type page struct {
	Root, Base     string // the Hub's address: its path, and the whole of it
	Login          string // where a browser gets to see more, empty where it sees all
	Framed         bool   // the frame has scripts: for data-copy
	Title, Tab     string
	ID, Name       string // namespace/name, name
	Private        bool
	Rev, Commit    string
	Named          bool // Rev is a branch or a tag, not a commit
	When           time.Time
	Path           string // of the file or folder shown
	Page           string // what the revision's links lead to: "tree", "blob", "commits" or, for the card, ""
	Branches, Tags []refLine
}

// newPage is the part of a page that has to do with who asks.
func (s *Server) newPage(r *http.Request, title string) page {
	p := page{Root: s.root(r), Base: s.base(r), Title: title, Framed: s.config.Frame != nil}
	if s.config.Login != "" && s.access(r) != full {
		p.Login = s.config.Login + "?next=" + url.QueryEscape(s.config.Prefix+r.URL.RequestURI())
	}
	return p
}

// Style is the address of the style.
func (p *page) Style() string { return p.Root + stylePath }

func (p *page) title() string { return p.Title }

// refLine is a branch or tag with its last commit.
type refLine struct {
	Name string
	commitLine
}

type commitLine struct {
	Hash, Title, Body, Author string
	Time                      time.Time
	Names                     []string // branches and tags at it
}

func lineOf(c *object.Commit) commitLine {
	title, body, _ := strings.Cut(c.Message, "\n")
	return commitLine{Hash: c.Hash.String(), Title: title, Body: strings.TrimSpace(body), Author: c.Author.Name, Time: c.Author.When.UTC()}
}

// Short is a commit's name as people write it.
func (c commitLine) Short() string { return c.Hash[:10] }

// ShortCommit is the commit shown, as people write it.
func (p *page) ShortCommit() string { return p.Commit[:10] }

// ShortRev is the revision shown, as people write it.
func (p *page) ShortRev() string {
	if p.Named {
		return p.Rev
	}
	return p.ShortCommit()
}

// Link is the address of a page of the revision shown.
func (p *page) Link(kind, path string) string { return p.LinkAt(kind, p.Rev, path) }

// LinkAt is the address of a page of a revision: a tree, blob, resolve or
// commits page, or the card where kind is empty.
func (p *page) LinkAt(kind, rev, path string) string {
	s := p.Root + "/" + p.ID
	switch {
	case kind != "":
		s += "/" + kind + "/" + url.PathEscape(rev)
	case rev != "main":
		s += "?revision=" + url.QueryEscape(rev)
	}
	if kind == "" || path == "" {
		return s
	}
	for part := range strings.SplitSeq(path, "/") {
		s += "/" + url.PathEscape(part)
	}
	return s
}

// List pairs references with the page they are on.
func (p *page) List(name string, refs []refLine) any {
	return struct {
		Page *page
		Name string
		Refs []refLine
	}{p, name, refs}
}

// folder is a step of the path to a file.
type folder struct{ Name, Href string }

// Folders are the steps to the path shown.
func (p *page) Folders() []folder {
	var out []folder
	for i := 0; i < len(p.Path); {
		end := len(p.Path)
		if n := strings.IndexByte(p.Path[i:], '/'); n >= 0 {
			end = i + n
		}
		kind := "tree"
		if end == len(p.Path) && p.Page == "blob" {
			kind = "blob"
		}
		out = append(out, folder{p.Path[i:end], p.Link(kind, p.Path[:end])})
		i = end + 1
	}
	return out
}

// root is the path under which clients see the Hub.
func (s *Server) root(r *http.Request) string {
	u, err := url.Parse(s.base(r))
	if err != nil {
		return s.config.Prefix
	}
	return u.EscapedPath()
}

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, name string, data interface{ title() string }) error {
	part, framed := "plain", s.config.Frame != nil
	if framed {
		part = "body"
	}
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, part, data); err != nil {
		return fmt.Errorf("hubserver: page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	if framed {
		return s.config.Frame(w, r, status, data.title(), template.HTML(b.String()))
	}
	w.WriteHeader(status)
	w.Write(b.Bytes()) // the client may be gone
	return nil
}

// page turns a handler's refusal into a page.
func (s *Server) page(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		var known *httpError
		if !errors.As(err, &known) {
			return err
		}
		data := struct {
			page
			Text, Files string
		}{page: s.newPage(r, "Not found"), Text: "There is nothing at this address."}
		switch known.code {
		case "RepoNotFound":
			data.Text = "There is no such repository."
			if known.status == http.StatusUnauthorized {
				data.Text = "There is no such repository, or it is private and this browser is not logged in."
			}
		case "RevisionNotFound":
			data.Text = "The repository has no branch, tag or commit of that name."
		case "EntryNotFound":
			data.Text = "The revision has no such file."
			of := page{Root: data.Root, ID: r.PathValue("ns") + "/" + r.PathValue("name")}
			data.Files = of.LinkAt("tree", r.PathValue("rev"), "")
		default:
			if known.status != http.StatusNotFound {
				data.Title, data.Text = "This does not work", known.message
			}
		}
		return s.show(w, r, known.status, "error", &data)
	}
}

// asset serves the style of the pages.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	b, err := webFiles.ReadFile("web/" + r.PathValue("file"))
	if err != nil || !strings.HasSuffix(r.PathValue("file"), ".css") {
		return errorf(http.StatusNotFound, "", "Not Found")
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}
