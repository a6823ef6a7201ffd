package hub

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// maxInline is the size from which a file travels by LFS even where the server
// would take it inline, in bytes: inline content is base64 in the commit itself.
const maxInline = 1 << 20

// preuploadBatch is how many files one preupload call may ask about.
const preuploadBatch = 256

// File is a file to commit. Open is called as often as the content is needed
// and must give the same Size bytes each time.
type File struct {
	Path string // in the repository, slash-separated
	Size int64  // bytes
	Open func() (io.ReadCloser, error)
	// SHA256 of the content, in hexadecimal, where it is known and the server
	// may have it: the file travels by LFS, and is opened only if it travels.
	SHA256 string
}

// Bytes is a File of content held in memory.
func Bytes(path string, content []byte) File {
	return File{Path: path, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// LocalFile is a File of content on disk.
func LocalFile(path, name string) (File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return File{}, fmt.Errorf("hub: %w", err)
	}
	if !info.Mode().IsRegular() {
		return File{}, fmt.Errorf("hub: %s is not a file", name)
	}
	return File{Path: path, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(name) }}, nil
}

// Commit is one change of a branch.
type Commit struct {
	Summary     string // first line of the message
	Description string // the rest of it
	// Parent, if set, is the commit the branch must be at; otherwise the change
	// goes on top of whatever is there.
	Parent string
	Add    []File
	Delete []string // paths; one that ends in "/" is a folder
}

// Commit uploads what the Hub does not have yet and makes the change as one
// commit on the branch, whose name it returns. ErrConflict means that the
// branch is not at m.Parent (any more). A network error while the commit itself
// is answered leaves open whether it was made: read the branch to know.
func (c *Client) Commit(ctx context.Context, repo, branch string, m Commit) (string, error) {
	if err := m.check(repo); err != nil {
		return "", err
	}
	if err := CheckBranch(branch); err != nil {
		return "", err
	}
	byLFS, err := c.preupload(ctx, repo, branch, m.Add)
	if err != nil {
		return "", err
	}
	objects, err := c.uploadLFS(ctx, repo, branch, byLFS)
	if err != nil {
		return "", err
	}
	var out struct {
		CommitOID string `json:"commitOid"`
	}
	resp, err := c.do(ctx, request{
		method: http.MethodPost, url: c.model(repo, "commit", branch), once: true,
		kind: "application/x-ndjson", size: -1,
		body: func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(m.write(w, objects)) }()
			return r, nil
		},
	})
	if err != nil {
		if errors.Is(err, ErrExists) { // a 409 here is a lost race too
			err = fmt.Errorf("%w: %w", ErrConflict, err)
		}
		return "", err
	}
	defer resp.Body.Close()
	if err := decode(resp, &out); err != nil {
		return "", err
	}
	if !commitID.MatchString(out.CommitOID) {
		return "", fmt.Errorf("hub: commit to %s: the server named no commit", repo)
	}
	return out.CommitOID, nil
}

func (m *Commit) check(repo string) error {
	if err := CheckRepo(repo); err != nil {
		return err
	}
	if m.Summary == "" {
		return errors.New("hub: a commit needs a summary")
	}
	if m.Parent != "" && !commitID.MatchString(m.Parent) {
		return fmt.Errorf("hub: parent %q is not a commit", m.Parent)
	}
	seen := map[string]bool{}
	for _, f := range m.Add {
		if err := CheckPath(f.Path); err != nil {
			return err
		}
		if seen[f.Path] {
			return fmt.Errorf("hub: %q is added twice", f.Path)
		}
		if seen[f.Path] = true; f.Size < 0 {
			return fmt.Errorf("hub: %q has a negative size", f.Path)
		}
		if f.SHA256 != "" && !sha256ID.MatchString(f.SHA256) {
			return fmt.Errorf("hub: %q has no proper hash", f.Path)
		}
	}
	return nil
}

// write writes the commit as NDJSON; objects are the files already uploaded.
func (m *Commit) write(w io.Writer, objects map[string]object) error {
	type line struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}
	enc := json.NewEncoder(w)
	header := map[string]string{"summary": m.Summary, "description": m.Description}
	if m.Parent != "" {
		header["parentCommit"] = m.Parent
	}
	if err := enc.Encode(line{"header", header}); err != nil {
		return err
	}
	for _, f := range m.Add {
		if o, ok := objects[f.Path]; ok {
			value := map[string]any{"path": f.Path, "algo": "sha256", "oid": o.OID, "size": o.Size}
			if err := enc.Encode(line{"lfsFile", value}); err != nil {
				return err
			}
			continue
		}
		content, err := readFile(f)
		if err != nil {
			return err
		}
		value := map[string]string{"path": f.Path, "encoding": "base64", "content": base64.StdEncoding.EncodeToString(content)}
		if err := enc.Encode(line{"file", value}); err != nil {
			return err
		}
	}
	for _, p := range m.Delete {
		key := "deletedFile"
		if p != "" && p[len(p)-1] == '/' {
			key, p = "deletedFolder", p[:len(p)-1]
		}
		if err := enc.Encode(line{key, map[string]string{"path": p}}); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads a file that travels inline.
func readFile(f File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", f.Path, err)
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, f.Size+1))
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", f.Path, err)
	}
	if int64(len(content)) != f.Size {
		return nil, fmt.Errorf("hub: %s is not the %d bytes it was said to be", f.Path, f.Size)
	}
	return content, nil
}

// preupload asks the server which files travel by LFS and returns those.
func (c *Client) preupload(ctx context.Context, repo, branch string, files []File) ([]File, error) {
	type ask struct {
		Path   string `json:"path"`
		Size   int64  `json:"size"`
		Sample []byte `json:"sample"` // the first 512 bytes
	}
	var byLFS, unknown []File
	for _, f := range files {
		if f.SHA256 != "" {
			byLFS = append(byLFS, f)
		} else {
			unknown = append(unknown, f)
		}
	}
	for files = unknown; len(files) > 0; {
		batch := files[:min(len(files), preuploadBatch)]
		files = files[len(batch):]
		in := struct {
			Files []ask `json:"files"`
		}{}
		for _, f := range batch {
			sample, err := head(f)
			if err != nil {
				return nil, err
			}
			in.Files = append(in.Files, ask{f.Path, f.Size, sample})
		}
		var out struct {
			Files []struct{ Path, UploadMode string }
		}
		if err := c.call(ctx, http.MethodPost, c.model(repo, "preupload", branch), in, &out, false); err != nil {
			return nil, err
		}
		lfs := map[string]bool{}
		for _, f := range out.Files {
			lfs[f.Path] = f.UploadMode == "lfs"
		}
		for _, f := range batch {
			if f.Size > 0 && (lfs[f.Path] || f.Size > maxInline) {
				byLFS = append(byLFS, f)
			}
		}
	}
	return byLFS, nil
}

// head returns the first bytes of f, by which a server tells text from binary.
func head(f File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", f.Path, err)
	}
	defer r.Close()
	b := make([]byte, 512)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("hub: %s: %w", f.Path, err)
	}
	return b[:n], nil
}
