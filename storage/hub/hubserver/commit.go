package hubserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"polyid-trainer/storage/hub"
)

const (
	// maxBlob is how large a file git itself stores, in bytes; a larger one is
	// stored by LFS.
	maxBlob       = 1 << 20
	maxOperations = maxEntries // of one commit
	maxFiles      = 256        // of one preupload call
)

// preupload asks for every file inline; the package comment says why. The
// git hash of a file lets clients skip one that is unchanged.
// Releases before 1.0 do not get to know it: with nothing left to commit they
// make up the commit's address themselves and fail to read it under a prefix.
func (s *Server) preupload(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Files []struct {
			Path string
			Size int64
		}
		GitIgnore *string // of the commit that is to come
	}
	if err := s.mayWrite(r); err != nil {
		return err
	}
	if err := read(w, r, &in); err != nil {
		return err
	}
	if len(in.Files) > maxFiles {
		return badRequest("at most %d files", maxFiles)
	}
	p, c, err := s.at(r)
	if err != nil {
		return err
	}
	have, err := p.git.list(c)
	if err != nil {
		return err
	}
	ignore, err := s.ignores(p, have, in.GitIgnore)
	if err != nil {
		return err
	}
	asked := 0
	for _, f := range in.Files {
		asked += len(f.Path)
	}
	if err := ignore.affords(asked); err != nil {
		return err
	}
	skips := !strings.Contains(r.UserAgent(), "hf_hub/0.")
	out := []map[string]any{}
	for _, f := range in.Files {
		if err := hub.CheckPath(f.Path); err != nil {
			return badRequest("%v", err)
		}
		if f.Size > s.config.MaxFile {
			return errorf(http.StatusRequestEntityTooLarge, "", "%s: at most %d bytes a file", f.Path, s.config.MaxFile)
		}
		answer := map[string]any{"path": f.Path, "uploadMode": "regular", "shouldIgnore": ignore.ignored(f.Path)}
		if old, ok := have.files[f.Path]; ok && skips && old.size == f.Size {
			oid, err := s.blobHash(r.Context(), old)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // one that is lost had better come again
				return err
			}
			if err == nil {
				answer["oid"] = oid
			}
		}
		out = append(out, answer)
	}
	return answer(w, map[string]any{"files": out, "commitOid": c.Hash.String()})
}

// ignores is the root .gitignore that decides on a commit: its own, or the branch's.
func (s *Server) ignores(p *repo, have *listing, own *string) (*ignores, error) {
	if own != nil {
		return parseIgnores(*own), nil
	}
	f, ok := have.files[ignoreFile]
	if !ok {
		return parseIgnores(""), nil
	}
	b, _, err := s.beginning(p, f, maxBlob)
	if err != nil {
		return nil, err
	}
	return parseIgnores(string(b)), nil
}

// blobHash is the name that git would have for a file's content if LFS did not
// store it. It reads what is large: a client does the same, to compare.
func (s *Server) blobHash(ctx context.Context, f file) (string, error) {
	if f.lfs == nil {
		return f.hash.String(), nil
	}
	o, err := os.Open(s.blobs.path(f.lfs.oid))
	if err != nil {
		return "", fmt.Errorf("hubserver: %w", err)
	}
	defer o.Close()
	stop := context.AfterFunc(ctx, func() { o.Close() }) // ends the reading
	defer stop()
	h := plumbing.NewHasher(plumbing.BlobObject, f.size)
	if _, err := io.Copy(h, o); err != nil {
		return "", fmt.Errorf("hubserver: %w", err)
	}
	return h.Sum().String(), nil
}

// change is what a commit does to a path.
type change struct {
	path   string
	file   file
	remove bool
	folder bool
}

// commit reads the whole commit first, with contents going to where they are
// stored. What becomes of the branch is worked out without a lock, and anew if
// another commit came first. Contents of a commit that fails stay, unreferenced.
func (s *Server) commit(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("create_pr") == "1" {
		return badRequest("This Hub has no pull requests: commit to a branch instead")
	}
	c, err := s.writer(r)
	if err != nil {
		return err
	}
	p, _, err := s.at(r)
	if err != nil {
		return err
	}
	if !c.mayChange(p) {
		return errNotYours(c, p.id)
	}
	header, changes, err := s.receive(r, p)
	if err != nil {
		return err
	}
	for r.Context().Err() == nil {
		commit, moved, err := s.commitOnto(r, p, c.Name, header, changes)
		if err != nil {
			return err
		}
		if moved {
			return answer(w, map[string]any{
				"success": true, "commitOid": commit, "hookOutput": "",
				"commitUrl": s.repoURL(r, p.id) + "/commit/" + commit,
			})
		}
	}
	return context.Cause(r.Context())
}

// commitOnto makes a commit on top of what the branch is at and moves the branch
// there, unless it was moved meanwhile.
func (s *Server) commitOnto(r *http.Request, p *repo, who string, header *operation, changes []change) (commit string, moved bool, err error) {
	branch := "refs/heads/" + r.PathValue("rev")
	c, err := p.git.resolve(branch)
	if err != nil {
		return "", false, err
	}
	head := c.Hash.String()
	if want := header.Value.ParentCommit; want != "" && want != head {
		return "", false, errStale
	}
	was, err := p.git.list(c)
	if err != nil {
		return "", false, err
	}
	files := maps.Clone(was.files)
	if err := applyAll(changes, files); err != nil {
		return "", false, err
	}
	if err := checkEntries(files); err != nil {
		return "", false, err
	}
	if err := s.attribute(p.git, files, changes); err != nil {
		return "", false, err
	}
	message := header.Value.Summary
	if d := header.Value.Description; d != "" {
		message += "\n\n" + d
	}
	if commit, err = p.git.commit(files, head, who, message); err != nil || commit == head {
		return commit, true, err
	}
	err = s.change(r, func(p *repo, who string) error {
		now, err := p.git.resolve(branch)
		if err != nil {
			return err
		}
		if moved = now.Hash == c.Hash; !moved {
			return nil
		}
		return p.git.setRef(branch, commit, who, "commit: "+header.Value.Summary)
	})
	return commit, moved, err
}

// checkEntries says whether a revision may hold so many files and folders.
func checkEntries(files map[string]file) error {
	folders := map[string]bool{}
	for name := range files {
		for dir := path.Dir(name); dir != "." && !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
		if len(files)+len(folders) > maxEntries {
			return badRequest("the revision would have more than %d files and folders", maxEntries)
		}
	}
	return nil
}

// applyAll applies changes in their order; folders that are deleted are looked
// for once, not each among all files.
func applyAll(changes []change, files map[string]file) error {
	var inside map[string]int // files by each folder they are in, made when it is needed
	for _, ch := range changes {
		switch {
		case !ch.remove:
			if _, had := files[ch.path]; !had && inside != nil {
				count(inside, ch.path, 1)
			}
			files[ch.path] = ch.file
		case !ch.folder:
			if _, ok := files[ch.path]; !ok {
				return errorf(http.StatusNotFound, "EntryNotFound", "%s is not there to be deleted", ch.path)
			}
			if inside != nil {
				count(inside, ch.path, -1)
			}
			delete(files, ch.path)
		default:
			if inside == nil {
				inside = map[string]int{}
				for name := range files {
					count(inside, name, 1)
				}
			}
			if inside[ch.path] == 0 {
				return errorf(http.StatusNotFound, "EntryNotFound", "%s is not there to be deleted", ch.path)
			}
			for name := range files { // at least one of them goes
				if strings.HasPrefix(name, ch.path+"/") {
					count(inside, name, -1)
					delete(files, name)
				}
			}
		}
	}
	return nil
}

// count adds n to each folder that a file is in.
func count(inside map[string]int, name string, n int) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		inside[dir] += n
	}
}

// attribute makes files and .gitattributes agree on what LFS stores: git-lfs
// would neither fetch a pointer that it does not name, nor take as it is a file
// that it names.
func (s *Server) attribute(g *gitRepo, files map[string]file, changes []change) error {
	var text []byte
	if f, ok := files[attributesFile]; ok {
		var err error
		if f.lfs != nil {
			return badRequest("%s is too large", attributesFile)
		}
		if text, err = g.read(f.hash); err != nil {
			return err
		}
	}
	rules := parseAttributes(string(text))
	if err := rules.affords(maps.Keys(files)); err != nil {
		return err
	}
	for _, ch := range changes {
		f, ok := files[ch.path]
		if !ok || f.lfs != nil || f.size == 0 || ch.path == attributesFile || !rules.lfs(ch.path) {
			continue
		}
		content, err := g.read(f.hash)
		if err != nil {
			return err
		}
		oid, n, err := s.blobs.add(bytes.NewReader(content), "")
		if err != nil {
			return err
		}
		if files[ch.path], err = g.addPointer(pointer{oid, n}); err != nil {
			return err
		}
	}
	var more strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if files[name].lfs != nil && !rules.lfs(name) {
			more.WriteString(lfsLine(name))
		}
	}
	if more.Len() == 0 {
		return nil
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	var err error
	files[attributesFile], err = g.addBlob(append(text, more.String()...))
	return err
}

// receive reads a commit and stores its contents.
func (s *Server) receive(r *http.Request, p *repo) (header *operation, changes []change, err error) {
	var got *received
	l := &lines{r: bufio.NewReaderSize(r.Body, 64<<10), content: func(r io.Reader) error {
		if got != nil {
			return badRequest("a line of the commit has two contents")
		}
		got, err = s.receiveContent(r)
		return err
	}}
	for {
		got = nil
		op, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if len(changes) == maxOperations {
			return nil, nil, badRequest("at most %d operations", maxOperations)
		}
		if header == nil {
			if op.Key != "header" || op.Value.Summary == "" {
				return nil, nil, badRequest("a commit begins with a header that has a summary")
			}
			header = op
			continue
		}
		ch := change{path: strings.TrimSuffix(op.Value.Path, "/")}
		if err := hub.CheckPath(ch.path); err != nil {
			return nil, nil, badRequest("%v", err)
		}
		switch op.Key {
		case "file":
			if got == nil || op.Value.Encoding != "base64" {
				return nil, nil, badRequest("%s has no content in base64", ch.path)
			}
			ch.file, err = s.keep(r, p, ch.path, got)
		case "lfsFile":
			ch.file, err = s.lfsFile(r, p, op)
		case "deletedFile", "deletedFolder":
			ch.remove, ch.folder = true, op.Key == "deletedFolder"
		default:
			err = badRequest("Unknown operation")
		}
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, ch)
	}
	if header == nil {
		return nil, nil, badRequest("a commit begins with a header that has a summary")
	}
	return header, changes, nil
}

// received is the content of a file: small in memory, large by its oid.
type received struct {
	small []byte
	large *pointer
}

func (s *Server) receiveContent(r io.Reader) (*received, error) {
	limited := &io.LimitedReader{R: r, N: s.config.MaxFile + 1}
	small, err := io.ReadAll(io.LimitReader(limited, maxBlob+1))
	if err != nil {
		return nil, err
	}
	got := &received{small: small}
	if len(small) > maxBlob {
		oid, n, err := s.blobs.add(io.MultiReader(bytes.NewReader(small), limited), "")
		if err != nil {
			return nil, err
		}
		got = &received{large: &pointer{oid, n}}
	}
	if limited.N <= 0 {
		return nil, errorf(http.StatusRequestEntityTooLarge, "", "at most %d bytes a file", s.config.MaxFile)
	}
	return got, nil
}

// keep makes the file of a content.
func (s *Server) keep(r *http.Request, p *repo, name string, got *received) (file, error) {
	if got.large != nil {
		return p.git.addPointer(*got.large)
	}
	if o, ok := parsePointer(got.small); ok {
		n, stored := s.blobs.keep(o.oid)
		if stored && n == o.size {
			var err error
			if stored, err = s.possesses(r, p, o); err != nil {
				return file{}, err
			}
		}
		if !stored || n != o.size {
			return file{}, badRequest("%s points to an object that is not stored", name)
		}
	}
	return p.git.addBlob(got.small)
}

// lfsFile makes the file of an object uploaded before.
func (s *Server) lfsFile(r *http.Request, p *repo, op *operation) (file, error) {
	v := op.Value
	// A copy of a file that is stored says no size.
	n, ok := s.blobs.keep(v.OID)
	if ok {
		var err error
		if ok, err = s.possesses(r, p, pointer{v.OID, n}); err != nil {
			return file{}, err
		}
	}
	if !ok || v.Algo != "sha256" || n != v.Size && v.Size != 0 {
		return file{}, badRequest("%s: LFS object %.64s is not stored with this size: upload it before the commit", v.Path, v.OID)
	}
	return p.git.addPointer(pointer{v.OID, n})
}
