package hubserver

import (
	"compress/gzip"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// What follows serves git clone, fetch and pull: protocol version 0 over smart
// HTTP, which every git since 1.6.6 speaks. go-git has a server of its own, but
// it knows no shallow clone and fails on a client that has commits of its own.

// capabilities are what a client may ask for besides; without multi_ack a
// client stops negotiating at the first commit in common, which at the sizes of
// model repositories costs next to nothing.
const capabilities = "side-band-64k ofs-delta shallow no-progress allow-tip-sha1-in-want allow-reachable-sha1-in-want symref=HEAD:refs/heads/main agent=polyid-trainer"

// infoRefs is the first answer to a git client: what there is to fetch.
func (s *Server) infoRefs(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Query().Get("service") {
	case "git-upload-pack":
	case "git-receive-pack":
		return s.noPush(w)
	default:
		return errorf(http.StatusForbidden, "", "This Hub speaks git's smart protocol only: update git")
	}
	p, err := s.open(r)
	if err != nil {
		return err
	}
	refs, err := p.git.refs("refs/")
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-git-upload-pack-advertisement")
	h.Set("Cache-Control", "no-cache")
	out := pktline.NewEncoder(w) // errors mean that the client is gone
	out.EncodeString("# service=git-upload-pack\n")
	out.Flush()
	first := "\x00" + capabilities
	line := func(hash, name string) {
		out.Encodef("%s %s%s\n", hash, name, first)
		first = ""
	}
	for _, ref := range refs {
		if ref.Ref == "refs/heads/main" {
			line(ref.TargetCommit, "HEAD")
		}
	}
	for _, ref := range refs {
		line(ref.object, ref.Ref)
		if ref.object != ref.TargetCommit {
			line(ref.TargetCommit, ref.Ref+"^{}")
		}
	}
	out.Flush()
	return nil
}

// wants is what a client asks of upload-pack. Each request of a negotiation
// repeats it.
type wants struct {
	tips    []plumbing.Hash // commits and annotated tags
	tags    []plumbing.Hash // of tips, the annotated tags
	shallow map[plumbing.Hash]bool
	depth   int
	haves   []plumbing.Hash // what of the client's commits is here too
	asks    bool            // for an answer to its haves, not for its new shallow commits only
	done    bool
	band    bool
}

// uploadPack answers one request of a negotiation, the last of which gets the
// pack.
func (s *Server) uploadPack(w http.ResponseWriter, r *http.Request) error {
	p, err := s.open(r)
	if err != nil {
		return err
	}
	body := io.Reader(http.MaxBytesReader(w, r.Body, maxBody))
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return badRequest("the body is not gzip")
		}
		body = io.LimitReader(z, maxBody)
	}
	var objects []plumbing.Hash
	var shallow shallows
	want, err := p.git.readWants(body, s.changes(r, p))
	if err == nil {
		objects, shallow, err = p.git.missing(want)
	}
	var refusal *httpError
	if err != nil && !errors.As(err, &refusal) {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-git-upload-pack-result")
	h.Set("Cache-Control", "no-cache")
	out := pktline.NewEncoder(w)
	if refusal != nil { // in the words of git, which shows no others
		return out.Encodef("ERR %s\n", refusal.message)
	}
	if want.depth > 0 {
		for c := range shallow.now {
			out.Encodef("shallow %s\n", c)
		}
		for c := range shallow.before {
			out.Encodef("unshallow %s\n", c)
		}
		out.Flush()
	}
	switch {
	case !want.asks:
		return nil
	case len(want.haves) > 0:
		err = out.Encodef("ACK %s\n", want.haves[0])
	default:
		err = out.EncodeString("NAK\n")
	}
	if err != nil || !want.done {
		return nil // the client is gone, or goes on
	}
	pack := io.Writer(w)
	if want.band {
		pack = sideband.NewMuxer(sideband.Sideband64k, w)
	}
	if err := p.git.writePack(pack, objects); err != nil {
		return err
	}
	if want.band {
		out.Flush()
	}
	return nil
}

// readWants parses a request: wants, what limits them, then haves.
func (g *gitRepo) readWants(r io.Reader, writer bool) (*wants, error) {
	w := &wants{shallow: map[plumbing.Hash]bool{}}
	reachable, err := g.reachable()
	if err != nil {
		return nil, err
	}
	// What no branch or tag leads to is there for writers alone.
	visible := func(h plumbing.Hash) bool { return writer || reachable[h] }
	sections := 0
	lines := pktline.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSuffix(string(lines.Bytes()), "\n")
		verb, rest, _ := strings.Cut(line, " ")
		id, asked, _ := strings.Cut(rest, " ")
		hash := plumbing.NewHash(id)
		switch verb {
		case "want", "have", "shallow":
			if !commitPattern.MatchString(id) {
				return nil, badRequest("not a request of upload-pack")
			}
		}
		switch verb {
		case "": // a section ends: the first has the wants, the second haves
			sections++
			w.asks = w.asks || sections > 1
		case "want":
			if !visible(hash) {
				return nil, badRequest("upload-pack: not our ref %s", hash)
			}
			if err := g.want(w, hash); err != nil {
				return nil, err
			}
			w.band = w.band || strings.Contains(asked, "side-band-64k")
		case "shallow":
			w.shallow[hash] = true
		case "deepen":
			var err error
			if w.depth, err = strconv.Atoi(id); err != nil || w.depth < 0 {
				return nil, badRequest("not a depth")
			}
		case "have":
			if _, err := object.GetCommit(g.storage, hash); err == nil && visible(hash) {
				w.haves = append(w.haves, hash)
			}
		case "done":
			w.done, w.asks = true, true
		default:
			return nil, badRequest("%.40q is not supported", verb)
		}
	}
	if lines.Err() != nil {
		return nil, badRequest("not a request of upload-pack")
	}
	if len(w.tips) == 0 {
		return nil, badRequest("nothing is wanted")
	}
	return w, nil
}

func (g *gitRepo) want(w *wants, hash plumbing.Hash) error {
	if t, err := object.GetTag(g.storage, hash); err == nil {
		w.tags = append(w.tags, hash)
		hash = t.Target
	}
	if _, err := object.GetCommit(g.storage, hash); err != nil {
		return badRequest("upload-pack: not our ref %s", hash)
	}
	w.tips = append(w.tips, hash)
	return nil
}

// shallows are the commits that a client has without their parents: those that
// become so by this request, and those that are so no more.
type shallows struct{ now, before map[plumbing.Hash]bool }

// missing lists the objects that a client lacks.
func (g *gitRepo) missing(w *wants) ([]plumbing.Hash, shallows, error) {
	change := shallows{map[plumbing.Hash]bool{}, map[plumbing.Hash]bool{}}
	end := w.shallow
	if w.depth > 0 {
		end = nil
	}
	wanted, err := g.history(w.tips, w.depth, end)
	if err != nil {
		return nil, change, err
	}
	for c := range wanted.edge {
		if !w.shallow[c] {
			change.now[c] = true
		}
	}
	for c := range w.shallow {
		if w.depth > 0 && wanted.has[c] && !wanted.edge[c] {
			change.before[c] = true
		}
	}
	if !w.done {
		return nil, change, nil
	}
	has, err := g.history(w.haves, 0, w.shallow)
	if err != nil {
		return nil, change, err
	}
	objects, seen := w.tags, map[plumbing.Hash]bool{}
	for _, c := range has.commits {
		if err := g.content(c.TreeHash, seen, func(plumbing.Hash, filemode.FileMode) error { return nil }); err != nil {
			return nil, change, err
		}
	}
	for _, c := range wanted.commits {
		if has.has[c.Hash] {
			continue
		}
		objects = append(objects, c.Hash)
		if err := g.content(c.TreeHash, seen, func(h plumbing.Hash, _ filemode.FileMode) error {
			objects = append(objects, h)
			return nil
		}); err != nil {
			return nil, change, err
		}
	}
	return objects, change, nil
}

// writePack writes objects, each whole: one at a time is in memory.
func (g *gitRepo) writePack(w io.Writer, objects []plumbing.Hash) error {
	sum := sha1.New()
	out := io.MultiWriter(w, sum)
	head := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(objects)))
	if _, err := out.Write(head); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	z := zlib.NewWriter(out)
	for _, hash := range objects {
		o, err := g.storage.EncodedObject(plumbing.AnyObject, hash)
		if err != nil {
			return fmt.Errorf("hubserver: object %s: %w", hash, err)
		}
		content, err := readObject(o)
		if err != nil {
			return fmt.Errorf("hubserver: object %s: %w", hash, err)
		}
		// Four bits of the size beside the type, then seven a byte.
		n := uint64(len(content))
		b := byte(o.Type())<<4 | byte(n&15)
		var entry []byte
		for n >>= 4; n > 0; n >>= 7 {
			entry = append(entry, b|0x80)
			b = byte(n & 0x7f)
		}
		if _, err := out.Write(append(entry, b)); err != nil {
			return fmt.Errorf("hubserver: %w", err)
		}
		z.Reset(out)
		_, err = z.Write(content)
		if err = errors.Join(err, z.Close()); err != nil {
			return fmt.Errorf("hubserver: %w", err)
		}
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}
