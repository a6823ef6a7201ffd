package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Limits bound what is taken. A zero field takes its default.
type Limits struct {
	Bytes      int64 // of a file; 100 MB
	Rows       int   // 200,000
	HeavyAtoms int   // of a polymer; 1,200

	LibraryBytes int64 // of a file that is only screened; 20 GB
	LibraryRows  int   // 100,000,000
}

// WithDefaults fills what is unset.
func (l Limits) WithDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 100 << 20
	}
	if l.Rows == 0 {
		l.Rows = 200_000
	}
	if l.HeavyAtoms == 0 {
		l.HeavyAtoms = 1200
	}
	if l.LibraryBytes == 0 {
		l.LibraryBytes = 20 << 30
	}
	if l.LibraryRows == 0 {
		l.LibraryRows = 100_000_000
	}
	return l
}

// Library is all datasets. It is safe for concurrent use. Who asks in a context
// sees and changes what package access allows.
type Library struct {
	// Room is asked before so many bytes are stored for who asks in ctx; nil always
	// has room. Set it before use.
	Room func(ctx context.Context, bytes int64) error

	bucket storage.Bucket
	limits Limits
	now    func() time.Time
	reads  chan struct{} // bounds the files read at once, and so memory
	tables *cache
	ships  map[string]func() (*Dataset, error) // by name, described once
}

const (
	readsAtOnce = 2
	maxName     = 200 // bytes
	perPage     = 20
)

// New keeps datasets in b; now is nil for time.Now.
func New(b storage.Bucket, l Limits, now func() time.Time) *Library {
	if now == nil {
		now = time.Now
	}
	lib := &Library{
		bucket: b, limits: l.WithDefaults(), now: now, reads: make(chan struct{}, readsAtOnce), tables: newCache(),
		ships: map[string]func() (*Dataset, error){},
	}
	for _, d := range data.AllShipped() {
		lib.ships[d.Name] = sync.OnceValues(func() (*Dataset, error) { return shipped(d) })
	}
	return lib
}

// contentKey is where an owner's dataset of some content and name is found. Those
// from before there were owners, and of a server without tokens, have no owner in
// it.
func contentKey(hash, name, owner string) string {
	text := hash + "\x00" + name
	if owner != "" && owner != access.Local {
		text += "\x00" + owner
	}
	sum := sha256.Sum256([]byte(text))
	return keys.Contents + hex.EncodeToString(sum[:])
}

// options are how every table is read and judged; MinValues may be changed.
func (l *Library) options(c *checker) data.Options {
	return data.Options{MaxBytes: l.limits.Bytes, MaxRows: l.limits.Rows, Mechanisms: structure.Mechanisms(), Check: c.check, Recognize: structure.Recognize, Identify: structure.Identity}
}

// store writes the table and its report, then what describes it, then the entry by which the
// same content is found again. Of two that come at once one is kept.
func (l *Library) store(ctx context.Context, d *Dataset, s *data.Sheet, r *Report) (*Dataset, error) {
	key := contentKey(d.Hash, d.Name, d.Owner)
	if known, err := l.known(ctx, key); known != nil || err != nil {
		return known, err
	}
	var b bytes.Buffer
	if err := s.WriteCSV(&b); err != nil {
		return nil, err
	}
	d.Bytes = int64(b.Len())
	if err := l.room(ctx, d.Bytes); err != nil {
		return nil, err
	}
	if _, err := l.bucket.Put(ctx, keys.DatasetTable(d.ID), bytes.NewReader(b.Bytes()), int64(b.Len()), storage.Condition{}); err != nil {
		return nil, fmt.Errorf("store dataset: %w", err)
	}
	if err := record.Create(ctx, l.bucket, keys.DatasetReport(d.ID), r); err != nil {
		return nil, fmt.Errorf("store dataset: %w", err)
	}
	if err := record.Create(ctx, l.bucket, keys.DatasetMeta(d.ID), d); err != nil {
		return nil, fmt.Errorf("store dataset: %w", err)
	}
	_, err := l.bucket.Put(ctx, key, strings.NewReader(d.ID), int64(len(d.ID)), storage.IfAbsent())
	if !errors.Is(err, storage.ErrConflict) {
		if err != nil {
			return nil, fmt.Errorf("store dataset: %w", err)
		}
		return d, nil
	}
	known, err := l.known(ctx, key)
	if err != nil || known == nil || known.ID == d.ID { // ours, of a try whose answer was lost; or just deleted
		return d, err
	}
	return known, l.remove(ctx, d.ID)
}

// known is the dataset that a content's entry names, nil if there is none.
func (l *Library) known(ctx context.Context, key string) (*Dataset, error) {
	o, err := l.bucket.Get(ctx, key)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find dataset: %w", err)
	}
	defer o.Close()
	id, err := io.ReadAll(io.LimitReader(o, 64))
	if err != nil {
		return nil, fmt.Errorf("find dataset: %w", err)
	}
	d, err := l.Get(ctx, string(id))
	switch jobs.ErrorCode(err) {
	case jobs.NotFound, jobs.Damaged: // deleted halfway, or no longer of use: the entry is to name another
		return nil, l.bucket.Delete(ctx, key)
	}
	return d, err
}

// room reports why so many bytes may not be stored for who asks in ctx.
func (l *Library) room(ctx context.Context, bytes int64) error {
	if l.Room == nil {
		return nil
	}
	return l.Room(ctx, bytes)
}

// Get finds a dataset by id, or a shipped one by name. It is shared: nothing in
// it may be changed. What who asks in ctx may not see is not there.
func (l *Library) Get(ctx context.Context, id string) (*Dataset, error) {
	if describe, ok := l.ships[id]; ok {
		return describe()
	}
	if !jobs.ValidID(jobs.DatasetPrefix, id) {
		return nil, noDataset(id)
	}
	e, _, err := record.Load[Dataset](ctx, l.bucket, keys.DatasetMeta(id))
	if errors.Is(err, storage.ErrNotExist) {
		return nil, noDataset(id)
	}
	var damaged *record.DamagedError
	if errors.As(err, &damaged) {
		return nil, &jobs.Error{Code: jobs.Damaged, Detail: damaged.Error(), Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", id, err)
	}
	if err := access.Read(ctx, e.Record.owned(), noDataset(id)); err != nil {
		return nil, err
	}
	e.Record.setDetails(e.Record.details())
	return e.Record, nil
}

// Used is how many bytes the datasets of an owner take, as they are stored. It costs a
// read for each dataset there is.
func (l *Library) Used(ctx context.Context, owner string) (bytes int64, err error) {
	for e, err := range l.bucket.List(ctx, keys.Datasets) {
		if err != nil {
			return 0, fmt.Errorf("storage of %s: %w", owner, err)
		}
		id, ok := strings.CutSuffix(strings.TrimPrefix(e.Key, keys.Datasets), "/meta.json")
		if !ok {
			continue
		}
		d, err := l.Get(ctx, id)
		if code := jobs.ErrorCode(err); code == jobs.NotFound || code == jobs.Damaged {
			continue
		}
		if err != nil {
			return 0, err
		}
		if d.Owner == owner {
			bytes += d.Bytes
		}
	}
	return bytes, nil
}

// Change changes what the owner says of an uploaded dataset. A new name is also the
// one under which the same content is found again.
func (l *Library) Change(ctx context.Context, id string, p jobs.DetailsPatch) (*Dataset, error) {
	d, err := l.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.Shipped {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("%s is shipped with the program: it cannot be changed", id)}
	}
	if name, ok := p.Names(); ok && strings.TrimSpace(name) == "" {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the dataset cannot be changed to this", Problems: []jobs.Problem{{Pointer: "/name", Detail: "is empty: a dataset has a name"}}}
	}
	var was string
	d, err = record.Update(ctx, l.bucket, keys.DatasetMeta(id), func(d *Dataset) error {
		if err := access.Change(ctx, d.owned(), noDataset(id)); err != nil {
			return err
		}
		was = d.Name
		to := d.details()
		if !p.Apply(&to) {
			return record.ErrSame
		}
		d.setDetails(to)
		return nil
	})
	switch {
	case errors.Is(err, storage.ErrNotExist): // deleted meanwhile
		return nil, noDataset(id)
	case err != nil:
		return nil, fmt.Errorf("change dataset %s: %w", id, err)
	}
	if d.Name != was {
		if err := l.rename(ctx, d, was); err != nil {
			return nil, err
		}
	}
	d.setDetails(d.details())
	return d, nil
}

// rename moves the entry of a dataset's content to its new name, unless another one
// stands there.
func (l *Library) rename(ctx context.Context, d *Dataset, was string) error {
	_, err := l.bucket.Put(ctx, contentKey(d.Hash, d.Name, d.Owner), strings.NewReader(d.ID), int64(len(d.ID)), storage.IfAbsent())
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("rename dataset %s: %w", d.ID, err)
	}
	return l.forget(ctx, contentKey(d.Hash, was, d.Owner), d.ID)
}

// forget removes a content's entry if it names the dataset.
func (l *Library) forget(ctx context.Context, key, id string) error {
	known, err := l.known(ctx, key)
	if err != nil {
		return err
	}
	if known != nil && known.ID == id {
		if err := l.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("forget dataset %s: %w", id, err)
		}
	}
	return nil
}

// Page is a part of the list of datasets.
type Page struct {
	Datasets []*Dataset
	More     bool // there are older ones
	Damaged  int  // datasets in between whose records cannot be read
}

// List lists datasets newest first, after the one named, the shipped ones last.
func (l *Library) List(ctx context.Context, after string, limit int) (page Page, err error) {
	if limit <= 0 {
		limit = perPage
	}
	var ids []string
	for e, err := range l.bucket.List(ctx, keys.Datasets) {
		if err != nil {
			return Page{}, fmt.Errorf("list datasets: %w", err)
		}
		if id, ok := strings.CutSuffix(strings.TrimPrefix(e.Key, keys.Datasets), "/meta.json"); ok {
			ids = append(ids, id)
		}
	}
	slices.Reverse(ids)
	if after != "" && jobs.ValidID(jobs.DatasetPrefix, after) {
		ids = slices.DeleteFunc(ids, func(id string) bool { return id >= after })
	}
	for _, s := range data.AllShipped() {
		ids = append(ids, s.Name)
	}
	if i := slices.Index(ids, after); i >= 0 {
		ids = ids[i+1:]
	}
	for _, id := range ids {
		d, err := l.Get(ctx, id)
		switch jobs.ErrorCode(err) {
		case jobs.NotFound: // deleted meanwhile
			continue
		case jobs.Damaged:
			if access.Visible(ctx, access.Owned{}) { // nobody can tell whose it is
				page.Damaged++
			}
			continue
		}
		if err != nil {
			return Page{}, err
		}
		if len(page.Datasets) == limit {
			page.More = true
			return page, nil
		}
		page.Datasets = append(page.Datasets, d)
	}
	return page, nil
}

// Delete removes an uploaded dataset. Jobs that were made of it have a copy.
func (l *Library) Delete(ctx context.Context, id string) error {
	d, err := l.Get(ctx, id)
	if err != nil {
		return err
	}
	if d.Shipped {
		return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("%s is shipped with the program and stays", id)}
	}
	if err := access.Change(ctx, d.owned(), noDataset(id)); err != nil {
		return err
	}
	if err := l.forget(ctx, contentKey(d.Hash, d.Name, d.Owner), id); err != nil {
		return err
	}
	return l.remove(ctx, id)
}

// remove deletes a dataset's objects, first the one that makes it one.
func (l *Library) remove(ctx context.Context, id string) error {
	for _, key := range []string{keys.DatasetMeta(id), keys.DatasetReport(id), keys.DatasetTable(id)} {
		if err := l.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete dataset %s: %w", id, err)
		}
	}
	return l.removeRows(ctx, id)
}

func noDataset(id string) error {
	return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no dataset %q", id)}
}

// readError files what reading a file reports.
func readError(err error) error {
	switch {
	case errors.Is(err, data.ErrTooLarge):
		return &jobs.Error{Code: jobs.TooLarge, Detail: err.Error(), Err: err}
	case errors.Is(err, data.ErrFormat):
		return &jobs.Error{Code: jobs.Invalid, Detail: err.Error(), Problems: []jobs.Problem{{Detail: err.Error()}}, Err: err}
	}
	return fmt.Errorf("read dataset: %w", err)
}

// problemsOf lists the defects of a kind, by row and column of the file.
func problemsOf(r *data.Report, kind func(data.Defect) bool) []jobs.Problem {
	var ps []jobs.Problem
	for _, d := range r.Defects {
		if !kind(d) {
			continue
		}
		p := jobs.Problem{Detail: d.String()}
		if d.Row > 0 {
			p.Pointer = fmt.Sprintf("/rows/%d", d.Row)
			if d.Column != "" {
				p.Pointer += "/" + escape(d.Column)
			}
		} else if d.Column != "" {
			p.Pointer = "/columns/" + escape(d.Column)
		}
		ps = append(ps, p)
	}
	if r.Omitted > 0 {
		ps = append(ps, jobs.Problem{Detail: fmt.Sprintf("and %d more", r.Omitted)})
	}
	return ps
}

// escape writes a name as a token of a JSON pointer.
func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }
