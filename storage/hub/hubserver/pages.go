package hubserver

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Limits on what a page shows.
const (
	maxShown = 256 << 10 // bytes of a file
	maxRows  = 200       // of a table
)

// openPage opens the revision that r names and fills in what its pages show.
func (s *Server) openPage(r *http.Request, tab, kind string) (*repo, *object.Commit, *page, error) {
	p, c, err := s.at(r)
	if err != nil {
		return nil, nil, nil, err
	}
	rev := cmp.Or(r.PathValue("rev"), "main")
	_, name, _ := strings.Cut(p.id, "/")
	v := new(page)
	*v = s.newPage(r, p.id)
	v.Tab, v.Page, v.ID, v.Name, v.Private = tab, kind, p.id, name, p.Private
	v.Rev, v.Commit, v.When, v.Path = rev, c.Hash.String(), c.Committer.When.UTC(), r.PathValue("path")
	for _, list := range []struct {
		prefix string
		lines  *[]refLine
	}{{"refs/heads/", &v.Branches}, {"refs/tags/", &v.Tags}} {
		refs, err := p.git.refs(list.prefix)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, ref := range refs {
			c, err := object.GetCommit(p.git.storage, plumbing.NewHash(ref.TargetCommit))
			if err != nil {
				return nil, nil, nil, fmt.Errorf("hubserver: %w", err)
			}
			*list.lines = append(*list.lines, refLine{ref.Name, lineOf(c)})
			v.Named = v.Named || ref.Name == rev
		}
	}
	slices.Reverse(v.Tags) // the newest versions first
	return p, c, v, nil
}

func (s *Server) indexPage(w http.ResponseWriter, r *http.Request) error {
	type line struct {
		ID, Tag string
		Private bool
		Last    commitLine
	}
	data := struct {
		page
		Repos     []line
		Anonymous bool
	}{page: s.newPage(r, "Hub"), Anonymous: s.access(r) != full}
	err := s.each(r, func(p *repo, c *object.Commit) error {
		tags, err := p.git.refs("refs/tags/")
		if err != nil {
			return err
		}
		l := line{ID: p.id, Private: p.Private, Last: lineOf(c)}
		if len(tags) > 0 {
			l.Tag = tags[len(tags)-1].Name
		}
		data.Repos = append(data.Repos, l)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(data.Repos, func(a, b line) int { return b.Last.Time.Compare(a.Last.Time) })
	return s.show(w, r, http.StatusOK, "index", &data)
}

func (s *Server) cardPage(w http.ResponseWriter, r *http.Request) error {
	if rev := r.URL.Query().Get("revision"); rev != "" {
		r.SetPathValue("rev", rev)
	}
	p, c, v, err := s.openPage(r, "card", "")
	if err != nil {
		return err
	}
	data := struct {
		*page
		Facts []fact
		Card  template.HTML
	}{page: v}
	f, err := p.git.find(c, "README.md")
	if err == nil {
		var b []byte
		if b, _, err = s.beginning(p, f, maxBlob); err != nil {
			return err
		}
		meta, body := cutFrontMatter(b)
		data.Facts = facts(meta)
		data.Card = s.markdown.render(body, v.Link("blob", ""), v.Link("resolve", ""))
	} else if !errors.Is(err, errNoEntry) {
		return err
	}
	return s.show(w, r, http.StatusOK, "card", &data)
}

// entry is a line of a listing of files.
type entry struct {
	Name, Href, Download, Size, What string
	Bytes                            int64
	Folder, LFS                      bool
}

func (s *Server) filesPage(w http.ResponseWriter, r *http.Request) error {
	p, c, v, err := s.openPage(r, "files", "tree")
	if err != nil {
		return err
	}
	l, err := p.git.list(c)
	if err != nil {
		return err
	}
	v.Path = strings.Trim(v.Path, "/")
	listed := l.below(v.Path, false)
	sizes := l.sizes()
	if len(listed) == 0 && v.Path != "" {
		return errNoEntry
	}
	var folders, plain []entry
	var total int64
	for _, e := range listed {
		name := path.Base(e.Path)
		if e.Type == "directory" {
			size := sizes[e.Path]
			total += size
			folders = append(folders, entry{Name: name, Folder: true, Href: v.Link("tree", e.Path), Size: sizeText(size), Bytes: size})
			continue
		}
		total += e.Size
		plain = append(plain, entry{
			Name: name, Href: v.Link("blob", e.Path), Download: v.Link("resolve", e.Path) + "?download=true",
			Size: sizeText(e.Size), Bytes: e.Size, LFS: e.LFS != nil,
		})
	}
	return s.show(w, r, http.StatusOK, "files", &struct {
		*page
		Entries []entry
		Size    string
	}{v, append(folders, plain...), sizeText(total)})
}

// filePage shows a file: an image, Markdown, a table or text where it is one.
func (s *Server) filePage(w http.ResponseWriter, r *http.Request) error {
	p, c, v, err := s.openPage(r, "files", "blob")
	if err != nil {
		return err
	}
	f, err := p.git.find(c, v.Path)
	if err != nil {
		return err
	}
	data := struct {
		*page
		Size, Download, HashName, Hash, File, Image, Text string
		Bytes                                             int64
		LFS, Cut                                          bool
		Markdown                                          template.HTML
		Head                                              []string
		Rows                                              [][]string
	}{page: v, Size: sizeText(f.size), Bytes: f.size, LFS: f.lfs != nil, File: path.Base(v.Path),
		Download: v.Link("resolve", v.Path) + "?download=true", HashName: "git blob", Hash: f.hash.String()}
	if f.lfs != nil {
		data.HashName, data.Hash = "SHA-256", f.lfs.oid
	}
	v.Title = data.File + " · " + v.ID
	switch strings.ToLower(path.Ext(v.Path)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg":
		data.Image = v.Link("resolve", v.Path)
		return s.show(w, r, http.StatusOK, "file", &data)
	}
	b, cut, err := s.beginning(p, f, maxShown)
	if err != nil {
		return err
	}
	if text, ok := asText(b, cut); ok {
		data.Cut = cut
		switch strings.ToLower(path.Ext(v.Path)) {
		case ".md":
			_, body := cutFrontMatter([]byte(text))
			dir := strings.TrimSuffix(path.Dir(v.Path), ".")
			data.Markdown = s.markdown.render(body, v.Link("blob", dir), v.Link("resolve", dir))
		case ".csv":
			var more bool
			if data.Head, data.Rows, more = table(text); more {
				data.Cut = true
			}
			data.Text = text
		default:
			data.Text = text
		}
	}
	return s.show(w, r, http.StatusOK, "file", &data)
}

// beginning reads at most n bytes of a file; cut says that there are more.
func (s *Server) beginning(p *repo, f file, n int64) (b []byte, cut bool, err error) {
	if f.lfs == nil {
		b, err = p.git.read(f.hash)
		if cut = int64(len(b)) > n; cut {
			b = b[:n]
		}
		return b, cut, err
	}
	o, err := os.Open(s.blobs.path(f.lfs.oid))
	if err != nil {
		return nil, false, fmt.Errorf("hubserver: %w", err)
	}
	defer o.Close()
	b, err = io.ReadAll(io.LimitReader(o, n))
	if err != nil {
		return nil, false, fmt.Errorf("hubserver: %w", err)
	}
	return b, f.size > n, nil
}

// asText returns b if it is text; where it is cut, up to its last whole line.
func asText(b []byte, cut bool) (string, bool) {
	text := string(b)
	if cut {
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	return text, text != "" && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// table reads the first rows of CSV; nothing if it is none.
func table(text string) (head []string, rows [][]string, more bool) {
	r := csv.NewReader(strings.NewReader(text))
	for {
		record, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return head, rows, false
		case err != nil:
			return nil, nil, false
		case head == nil:
			head = record
		case len(rows) == maxRows:
			return head, rows, true
		default:
			rows = append(rows, record)
		}
	}
}

func (s *Server) historyPage(w http.ResponseWriter, r *http.Request) error {
	_, c, v, err := s.openPage(r, "history", "commits")
	if err != nil {
		return err
	}
	number, _ := strconv.Atoi(r.URL.Query().Get("p")) // none is the first
	number = max(number, 0)
	commits, more, err := commitsFrom(c, number*commitsPage, commitsPage)
	if err != nil {
		return err
	}
	names := map[string][]string{}
	for _, ref := range slices.Concat(v.Branches, v.Tags) {
		names[ref.Hash] = append(names[ref.Hash], ref.Name)
	}
	data := struct {
		*page
		Commits        []commitLine
		Previous, Next string
	}{page: v}
	for _, c := range commits {
		l := lineOf(c)
		l.Names = names[l.Hash]
		data.Commits = append(data.Commits, l)
	}
	if more {
		data.Next = v.LinkAt("commits", v.Commit, "") + "?p=" + strconv.Itoa(number+1)
	}
	if number > 0 {
		data.Previous = v.LinkAt("commits", v.Commit, "") + "?p=" + strconv.Itoa(number-1)
	}
	return s.show(w, r, http.StatusOK, "history", &data)
}

// commitPage shows what a commit changed.
func (s *Server) commitPage(w http.ResponseWriter, r *http.Request) error {
	p, c, v, err := s.openPage(r, "history", "commits")
	if err != nil {
		return err
	}
	data := struct {
		*page
		Change  commitLine
		Parent  string
		Entries []entry
	}{page: v, Change: lineOf(c)}
	v.Title = data.Change.Title + " · " + v.ID
	now, err := p.git.list(c)
	if err != nil {
		return err
	}
	after, before := now.files, map[string]file{}
	if len(c.ParentHashes) > 0 {
		data.Parent = c.ParentHashes[0].String()
		parent, err := object.GetCommit(p.git.storage, c.ParentHashes[0])
		if err != nil {
			return fmt.Errorf("hubserver: %w", err)
		}
		was, err := p.git.list(parent)
		if err != nil {
			return err
		}
		before = was.files
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		old, was := before[name]
		now, is := after[name]
		e := entry{Name: name, Href: v.LinkAt("blob", v.Commit, name), Size: sizeText(now.size), What: "changed"}
		switch {
		case !is:
			e.What, e.Size, e.Href = "deleted", "", v.LinkAt("blob", data.Parent, name)
		case !was:
			e.What = "added"
		case old.hash == now.hash:
			continue
		}
		data.Entries = append(data.Entries, e)
	}
	return s.show(w, r, http.StatusOK, "commit", &data)
}

func (s *Server) refsPage(w http.ResponseWriter, r *http.Request) error {
	_, _, v, err := s.openPage(r, "refs", "")
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "refs", v)
}

// sizeText is a size as people write it, in decimal units.
func sizeText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x := float64(n)
	for _, unit := range []string{"kB", "MB", "GB"} {
		if x /= 1000; x < 999.5 || unit == "GB" {
			if x < 9.95 {
				return fmt.Sprintf("%.1f %s", x, unit)
			}
			return fmt.Sprintf("%.0f %s", x, unit)
		}
	}
	return ""
}
