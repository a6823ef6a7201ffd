package datasets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Upload is a table on its way, in parts that may be cut off and resumed.
type Upload struct {
	ID        string    `json:"id"`     // "up_…"
	Object    string    `json:"object"` // "upload"
	Owner     string    `json:"owner"`
	Name      string    `json:"name"`
	OnDefect  OnDefect  `json:"on_defect"`
	Offset    int64     `json:"offset"` // bytes that are stored: where the next part begins
	CreatedAt time.Time `json:"created_at"`
}

// partSize is how much of an upload is held in memory, and lost at most with a
// process that dies.
const partSize = 8 << 20

// BeginUpload makes an upload of a table under a name.
func (l *Library) BeginUpload(ctx context.Context, name string, on OnDefect) (*Upload, error) {
	u := &Upload{ID: jobs.NewID(jobs.UploadPrefix), Object: "upload", Owner: access.Name(ctx), Name: name, OnDefect: on, CreatedAt: l.now().UTC()}
	if err := record.Create(ctx, l.bucket, keys.Upload(u.ID), u); err != nil {
		return nil, fmt.Errorf("begin upload: %w", err)
	}
	return u, nil
}

// Upload says how far an upload is.
func (l *Library) Upload(ctx context.Context, id string) (*Upload, error) {
	missing := &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no upload %.60q: it is complete, or was never begun", id)}
	if !jobs.ValidID(jobs.UploadPrefix, id) {
		return nil, missing
	}
	e, _, err := record.Load[Upload](ctx, l.bucket, keys.Upload(id))
	if errors.Is(err, storage.ErrNotExist) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("upload %s: %w", id, err)
	}
	u := e.Record
	if err := access.Change(ctx, access.Owned{Owner: u.Owner}, missing); err != nil {
		return nil, err
	}
	u.Offset = 0
	for p, err := range l.bucket.List(ctx, keys.UploadParts(id)) {
		if err != nil {
			return nil, fmt.Errorf("upload %s: %w", id, err)
		}
		from, err := strconv.ParseInt(strings.TrimPrefix(p.Key, keys.UploadParts(id)), 10, 64)
		if err != nil || from != u.Offset { // what follows a gap does not count
			break
		}
		u.Offset += p.Size
	}
	return u, nil
}

// Append stores what r has from an offset on, which must be the upload's own: what
// was stored before is sent again by nobody. Of a body that is cut off the part that
// came is kept.
func (l *Library) Append(ctx context.Context, id string, offset int64, r io.Reader) (*Upload, error) {
	u, err := l.Upload(ctx, id)
	if err != nil {
		return nil, err
	}
	if offset != u.Offset {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the upload has %d bytes: go on with ?offset=%d", u.Offset, u.Offset)}
	}
	most := l.limits.WithDefaults().LibraryBytes
	buffer := make([]byte, partSize)
	for {
		n, read := io.ReadFull(r, buffer)
		if u.Offset+int64(n) > most {
			return nil, &jobs.Error{Code: jobs.TooLarge, Detail: fmt.Sprintf("a library has at most %d bytes", most)}
		}
		if n > 0 {
			stored := context.WithoutCancel(ctx) // also of a client that has gone
			_, err := l.bucket.Put(stored, keys.UploadPart(id, u.Offset), bytes.NewReader(buffer[:n]), int64(n), storage.IfAbsent())
			if errors.Is(err, storage.ErrConflict) {
				return nil, &jobs.Error{Code: jobs.Conflict, Detail: "another request appends to the upload: ask how far it is"}
			}
			if err != nil {
				return nil, fmt.Errorf("upload %s: %w", id, err)
			}
			u.Offset += int64(n)
		}
		switch {
		case errors.Is(read, io.EOF), errors.Is(read, io.ErrUnexpectedEOF):
			return u, nil
		case read != nil:
			return nil, read
		}
	}
}

// CompleteUpload makes a dataset of an upload: a table as Add makes it, where it is
// one that could be trained on, and otherwise a library. The upload is gone then.
func (l *Library) CompleteUpload(ctx context.Context, id string) (*Dataset, error) {
	u, err := l.Upload(ctx, id)
	if err != nil {
		return nil, err
	}
	var d *Dataset
	if u.Offset <= l.limits.Bytes {
		d, err = l.Add(ctx, l.received(ctx, u), u.Name, u.OnDefect)
	}
	if u.Offset > l.limits.Bytes || jobs.ErrorCode(err) == jobs.TooLarge {
		d, err = l.AddLibrary(ctx, l.received(ctx, u), u.Name)
	}
	if err != nil {
		return nil, err
	}
	return d, l.removeUpload(ctx, id)
}

// received reads all of an upload.
func (l *Library) received(ctx context.Context, u *Upload) io.Reader {
	return &uploadReader{ctx: ctx, library: l, upload: u}
}

type uploadReader struct {
	ctx     context.Context
	library *Library
	upload  *Upload
	at      int64
	open    io.ReadCloser
}

// Read implements io.Reader.
func (r *uploadReader) Read(p []byte) (int, error) {
	if r.open == nil {
		if r.at >= r.upload.Offset {
			return 0, io.EOF
		}
		o, err := r.library.bucket.Get(r.ctx, keys.UploadPart(r.upload.ID, r.at))
		if err != nil {
			return 0, fmt.Errorf("upload %s: %w", r.upload.ID, err)
		}
		r.open = o
	}
	n, err := r.open.Read(p)
	r.at += int64(n)
	if errors.Is(err, io.EOF) {
		err = r.open.Close()
		r.open = nil
		if n == 0 && err == nil {
			return r.Read(p)
		}
	}
	return n, err
}

// UploadLasts is how long an upload that nobody completes is kept after its last part.
const UploadLasts = 7 * 24 * time.Hour

// Expire removes the uploads whose last part came before a time, and says how many.
func (l *Library) Expire(ctx context.Context, before time.Time) (n int, err error) {
	last := map[string]time.Time{}
	for e, err := range l.bucket.List(ctx, keys.Uploads) {
		if err != nil {
			return 0, fmt.Errorf("expire uploads: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(e.Key, keys.Uploads), "/")
		if e.Modified.After(last[id]) {
			last[id] = e.Modified
		}
	}
	for id, at := range last {
		if !at.Before(before) {
			continue
		}
		if err := l.removeUpload(ctx, id); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// removeUpload removes an upload, its record last.
func (l *Library) removeUpload(ctx context.Context, id string) error {
	var parts []string
	for e, err := range l.bucket.List(ctx, keys.UploadParts(id)) {
		if err != nil {
			return fmt.Errorf("upload %s: %w", id, err)
		}
		parts = append(parts, e.Key)
	}
	for _, key := range append(parts, keys.Upload(id)) {
		if err := l.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("upload %s: %w", id, err)
		}
	}
	return nil
}
