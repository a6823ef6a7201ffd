package hubserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// partsDir holds the parts of objects that are not complete, each at
// <oid>/<number>.
const partsDir = ".parts"

// maxParts is how many parts an object may have; parts grow for larger ones.
const maxParts = 1000

// partSize is the size of all parts but the last of an object, in bytes.
func (s *Server) partSize(object int64) int64 {
	return max(s.config.PartSize, (object+maxParts-1)/maxParts)
}

// offerParts gives an address to each part of an object, and one to say that
// they are complete.
func (s *Server) offerParts(r *http.Request, id string, o lfsObject, who string) map[string]any {
	grant := s.grant("part", id, o, time.Now().Add(grantTime), who)
	address := s.objectURL(r, id, o.OID) + "/parts"
	size := s.partSize(o.Size)
	header := map[string]string{"chunk_size": strconv.FormatInt(size, 10)}
	for n := int64(0); n*size < o.Size; n++ {
		header[fmt.Sprintf("%05d", n+1)] = fmt.Sprintf("%s/%d?%s", address, n+1, grant)
	}
	return map[string]any{"href": address + "?" + grant, "header": header}
}

func (s *Server) lfsPutPart(w http.ResponseWriter, r *http.Request) error {
	o, err := s.granted(r, "part")
	if err != nil {
		return err
	}
	size := s.partSize(o.Size)
	n, err := strconv.ParseInt(r.PathValue("part"), 10, 64)
	if err != nil || n < 1 || (n-1)*size >= o.Size {
		return badRequest("The object has no such part")
	}
	want := min(size, o.Size-(n-1)*size)
	etag, err := s.blobs.addPart(o.OID, n, want, http.MaxBytesReader(w, r.Body, want))
	if err != nil {
		return err
	}
	w.Header().Set("Etag", `"`+etag+`"`)
	return answer(w, map[string]any{})
}

// lfsComplete makes an object of its parts. Their hash is that of the whole.
func (s *Server) lfsComplete(w http.ResponseWriter, r *http.Request) error {
	o, err := s.granted(r, "part")
	if err != nil {
		return err
	}
	var in struct {
		OID   string
		Parts []struct {
			PartNumber int64
			ETag       string
		}
	}
	if err := read(w, r, &in); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.repoDir(r.PathValue("ns")+"/"+r.PathValue("name")), uploadsDir, o.OID)); err == nil {
		if n, stored := s.blobs.keep(o.OID); stored && n == o.Size { // completed before
			return answer(w, map[string]any{"success": true})
		}
	}
	parts := (o.Size + s.partSize(o.Size) - 1) / s.partSize(o.Size)
	if in.OID != o.OID || int64(len(in.Parts)) != parts {
		return badRequest("The object has %d parts", parts)
	}
	for i, p := range in.Parts {
		if p.PartNumber != int64(i)+1 || p.ETag == "" {
			return badRequest("The parts are not in order")
		}
	}
	err = s.blobs.join(o.OID, parts)
	if errors.Is(err, errDigest) || errors.Is(err, fs.ErrNotExist) {
		return badRequest("The parts are not what the oid says")
	}
	if err != nil {
		return err
	}
	if err := s.noteUpload(r, o.OID); err != nil {
		return err
	}
	return answer(w, map[string]any{"success": true})
}

// errShort means that a part is not as long as it should be.
var errShort = &httpError{http.StatusBadRequest, "", "The part is not as long as said"}

// addPart stores a part of size bytes and returns its hash.
func (b blobs) addPart(oid string, number, size int64, r io.Reader) (hash string, err error) {
	f, hash, n, err := b.receive(r)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.Remove(f) // clean finds what stays
		}
	}()
	if n != size {
		return "", errShort
	}
	dir := filepath.Join(b.dir, partsDir, oid)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("hubserver: %w", err)
	}
	if err := os.Rename(f, filepath.Join(dir, strconv.FormatInt(number, 10))); err != nil {
		return "", fmt.Errorf("hubserver: %w", err)
	}
	return hash, nil
}

// join stores the content that the parts of an oid make and removes them.
func (b blobs) join(oid string, parts int64) error {
	dir := filepath.Join(b.dir, partsDir, oid)
	r := &partReader{dir: dir, parts: parts}
	defer r.Close()
	if _, _, err := b.add(r, oid); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("hubserver: %w", err)
	}
	return nil
}

// partReader reads one part after the other.
type partReader struct {
	dir         string
	done, parts int64
	file        *os.File
}

func (r *partReader) Read(p []byte) (int, error) {
	for {
		if r.file == nil {
			if r.done == r.parts {
				return 0, io.EOF
			}
			var err error
			if r.file, err = os.Open(filepath.Join(r.dir, strconv.FormatInt(r.done+1, 10))); err != nil {
				return 0, err
			}
			r.done++
		}
		n, err := r.file.Read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		r.Close()
	}
}

// Close closes the part being read.
func (r *partReader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}
