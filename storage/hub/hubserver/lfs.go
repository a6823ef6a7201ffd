package hubserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"
)

const (
	lfsJSON = "application/vnd.git-lfs+json"
	// grantTime is for how long the address of an object is good.
	grantTime    = 6 * time.Hour
	maxLFSObject = 1000 // objects in one batch
)

type lfsObject struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// lfsBatch says where to upload or download objects. The addresses carry their
// own authorization, as clients send none to them.
func (s *Server) lfsBatch(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Operation string
		Transfers []string
		Objects   []lfsObject
	}
	if err := read(w, r, &in); err != nil {
		return err
	}
	if in.Operation != "upload" && in.Operation != "download" {
		return badRequest("The operation is upload or download")
	}
	if len(in.Objects) > maxLFSObject {
		return badRequest("at most %d objects", maxLFSObject)
	}
	if in.Operation == "upload" {
		if err := s.mayWrite(r); err != nil {
			return err
		}
	}
	p, err := s.open(r)
	if err != nil {
		return err
	}
	_, c := s.caller(r)
	who, writer := c.Name, s.changes(r, p)
	if in.Operation == "upload" && !writer {
		return errNotYours(c, p.id)
	}
	// What is large goes in parts where the client can.
	transfer, parts := "basic", slices.Contains(in.Transfers, "multipart")
	objects := []map[string]any{}
	for _, o := range in.Objects {
		out := map[string]any{"oid": o.OID, "size": o.Size}
		switch {
		case !oidPattern.MatchString(o.OID) || o.Size < 0:
			out["error"] = lfsError{http.StatusUnprocessableEntity, "Invalid oid or size"}
		case in.Operation == "download":
			err = s.offerDownload(r, p, o, out, writer, who)
		case parts && o.Size > s.config.PartSize:
			transfer = "multipart"
			err = s.offerUpload(r, p, o, out, true, who)
		default:
			err = s.offerUpload(r, p, o, out, false, who)
		}
		if err != nil {
			return err
		}
		objects = append(objects, out)
	}
	return answerStatus(w, http.StatusOK, lfsJSON, map[string]any{"transfer": transfer, "objects": objects})
}

type lfsError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (s *Server) offerUpload(r *http.Request, p *repo, o lfsObject, out map[string]any, parts bool, who string) (err error) {
	size, stored := s.blobs.keep(o.OID)
	if stored && size == o.Size {
		// What the repository may not name has to be uploaded, stored or not.
		if stored, err = s.possesses(r, p, pointer{o.OID, o.Size}); err != nil {
			return err
		}
	}
	switch {
	case stored && size != o.Size:
		out["error"] = lfsError{http.StatusUnprocessableEntity, "Invalid oid or size"}
	case o.Size > s.config.MaxFile:
		out["error"] = lfsError{http.StatusRequestEntityTooLarge, fmt.Sprintf("at most %d bytes a file", s.config.MaxFile)}
	case !stored:
		address := s.objectURL(r, p.id, o.OID)
		out["authenticated"] = true
		upload := map[string]any{"href": address + "?" + s.grant("upload", p.id, o, time.Now().Add(grantTime), who)}
		if parts {
			upload = s.offerParts(r, p.id, o, who)
		}
		out["actions"] = map[string]any{"upload": upload, "verify": map[string]any{"href": address + "/verify"}}
	}
	return nil
}

// offerDownload gives out the objects that the repository has a pointer to, as
// objects are stored together with those of repositories that r may not read. To
// those who may not change it a pointer counts that a branch or tag leads to.
func (s *Server) offerDownload(r *http.Request, p *repo, o lfsObject, out map[string]any, writer bool, who string) error {
	size, stored := s.blobs.size(o.OID)
	has := stored && size == o.Size && p.git.storage.HasEncodedObject(pointer{o.OID, o.Size}.hash()) == nil
	if has && !writer {
		var err error
		if has, err = p.git.leadsTo(pointer{o.OID, o.Size}.hash()); err != nil {
			return err
		}
	}
	if !has {
		out["error"] = lfsError{http.StatusNotFound, "Not in this repository"}
		return nil
	}
	out["authenticated"] = true
	out["actions"] = map[string]any{
		"download": map[string]any{"href": s.objectURL(r, p.id, o.OID) + "?" + s.grant("download", p.id, o, time.Now().Add(grantTime), who)},
	}
	return nil
}

func (s *Server) objectURL(r *http.Request, id, oid string) string {
	return s.base(r) + "/_lfs/" + id + "/objects/" + oid
}

// grant is the query of an address at which o may be uploaded or downloaded
// until a time by whom it was made for; that is nobody's name for what everyone
// may download.
func (s *Server) grant(operation, id string, o lfsObject, until time.Time, who string) string {
	q := url.Values{"size": {strconv.FormatInt(o.Size, 10)}, "until": {strconv.FormatInt(until.Unix(), 10)}, "for": {who}}
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n%s\n%s", operation, id, o.OID, q.Get("size"), q.Get("until"), who)
	q.Set("signature", hex.EncodeToString(mac.Sum(nil)))
	return q.Encode()
}

// errGrant refuses an address that is wrong, too old or not good any more.
var errGrant = &httpError{http.StatusForbidden, "", "The address is not valid (any more)"}

// granted returns the object that the address of r is a grant for. What it grants
// must still hold: the repository is there, and whom it was made for may still see
// or change it.
func (s *Server) granted(r *http.Request, operation string) (o lfsObject, err error) {
	q := r.URL.Query()
	size, err1 := strconv.ParseInt(q.Get("size"), 10, 64)
	until, err2 := strconv.ParseInt(q.Get("until"), 10, 64)
	id, who := r.PathValue("ns")+"/"+r.PathValue("name"), q.Get("for")
	o = lfsObject{r.PathValue("oid"), size}
	want, _ := url.ParseQuery(s.grant(operation, id, o, time.Unix(until, 0), who))
	if errors.Join(err1, err2) != nil || !hmac.Equal([]byte(want.Get("signature")), []byte(q.Get("signature"))) || time.Now().Unix() > until {
		return o, errGrant
	}
	p, err := s.load(id)
	if errors.Is(err, fs.ErrNotExist) {
		return o, errGrant
	}
	if err != nil {
		return o, err
	}
	c, known := s.named(who)
	if good := known && who != "" && (operation == "download" && s.sees(full, c, p) || c.mayChange(p)); !good && (operation != "download" || p.Private) {
		return o, errGrant
	}
	return o, nil
}

func (s *Server) lfsGet(w http.ResponseWriter, r *http.Request) error {
	o, err := s.granted(r, "download")
	if err != nil {
		return err
	}
	f, err := os.Open(s.blobs.path(o.OID))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoEntry
	}
	if err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Etag", `"`+o.OID+`"`)
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

func (s *Server) lfsPut(w http.ResponseWriter, r *http.Request) error {
	o, err := s.granted(r, "upload")
	if err != nil {
		return err
	}
	_, n, err := s.blobs.add(http.MaxBytesReader(w, r.Body, o.Size), o.OID)
	if errors.Is(err, errDigest) {
		return badRequest("The content is not what its oid says")
	}
	if err != nil {
		return err
	}
	if n != o.Size {
		return badRequest("The content is not as long as said")
	}
	if err := s.noteUpload(r, o.OID); err != nil {
		return err
	}
	return answer(w, map[string]any{})
}

func (s *Server) lfsVerify(w http.ResponseWriter, r *http.Request) error {
	if err := s.mayWrite(r); err != nil {
		return err
	}
	var in lfsObject
	if err := read(w, r, &in); err != nil {
		return err
	}
	if n, ok := s.blobs.size(r.PathValue("oid")); !ok || in.OID != r.PathValue("oid") || in.Size != n {
		return errorf(http.StatusNotFound, "", "Not uploaded")
	}
	return answer(w, map[string]any{})
}
