package hubserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	lfsJSON = "application/vnd.git-lfs+json"
	// uploadTime is for how long an upload address is good.
	uploadTime   = 6 * time.Hour
	maxLFSObject = 1000 // objects in one batch
)

type lfsObject struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// lfsBatch says where to upload or download objects. Upload addresses carry
// their own authorization, as clients send none to them.
func (s *Server) lfsBatch(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Operation string
		Objects   []lfsObject
	}
	if err := read(w, r, &in); err != nil {
		return err
	}
	if in.Operation != "upload" {
		return badRequest("Only uploads; download by resolve")
	}
	if len(in.Objects) > maxLFSObject {
		return badRequest("at most %d objects", maxLFSObject)
	}
	p, done, err := s.open(r, true)
	if err != nil {
		return err
	}
	id := p.id
	done()
	objects := []map[string]any{}
	for _, o := range in.Objects {
		out := map[string]any{"oid": o.OID, "size": o.Size}
		objects = append(objects, out)
		size, stored := s.blobs.size(o.OID)
		switch {
		case !oidPattern.MatchString(o.OID) || o.Size < 0 || stored && size != o.Size:
			out["error"] = map[string]any{"code": http.StatusUnprocessableEntity, "message": "Invalid oid or size"}
		case o.Size > s.config.MaxFile:
			out["error"] = map[string]any{"code": http.StatusRequestEntityTooLarge, "message": fmt.Sprintf("at most %d bytes a file", s.config.MaxFile)}
		case !stored:
			address := s.base(r) + "/_lfs/" + id + "/objects/" + o.OID
			out["authenticated"] = true
			out["actions"] = map[string]any{
				"upload": map[string]any{"href": address + "?" + s.grant(id, o, time.Now().Add(uploadTime))},
				"verify": map[string]any{"href": address + "/verify"},
			}
		}
	}
	return answerStatus(w, http.StatusOK, lfsJSON, map[string]any{"transfer": "basic", "objects": objects})
}

// grant is the query of an address at which o may be uploaded until a time.
func (s *Server) grant(id string, o lfsObject, until time.Time) string {
	q := url.Values{"size": {strconv.FormatInt(o.Size, 10)}, "until": {strconv.FormatInt(until.Unix(), 10)}}
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s", id, o.OID, q.Get("size"), q.Get("until"))
	q.Set("signature", hex.EncodeToString(mac.Sum(nil)))
	return q.Encode()
}

func (s *Server) lfsPut(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	size, err1 := strconv.ParseInt(q.Get("size"), 10, 64)
	until, err2 := strconv.ParseInt(q.Get("until"), 10, 64)
	o := lfsObject{r.PathValue("oid"), size}
	want, _ := url.ParseQuery(s.grant(r.PathValue("ns")+"/"+r.PathValue("name"), o, time.Unix(until, 0)))
	if errors.Join(err1, err2) != nil || !hmac.Equal([]byte(want.Get("signature")), []byte(q.Get("signature"))) || time.Now().Unix() > until {
		return errorf(http.StatusForbidden, "", "The upload address is not valid (any more)")
	}
	_, n, err := s.blobs.add(http.MaxBytesReader(w, r.Body, size), o.OID)
	if errors.Is(err, errDigest) {
		return badRequest("The content is not what its oid says")
	}
	if err != nil {
		return err
	}
	if n != size {
		return badRequest("The content is not as long as said")
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
