package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"polyid-trainer/data"
	rowstore "polyid-trainer/data/library"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Rows is a dataset in the form in which it is screened.
type Rows struct {
	*Dataset
	Prefix string // of the objects, see package data/library
	Index  *rowstore.Index
}

// Rows opens a dataset's rows for a screening. Of one that was uploaded as a table
// they are written when they are first asked for. Nothing is held of them.
func (l *Library) Rows(ctx context.Context, id string) (*Rows, error) {
	d, err := l.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &Rows{Dataset: d, Prefix: keys.DatasetLibrary(d.ID)}
	have, err := rowstore.Open(ctx, l.bucket, r.Prefix)
	if err == nil {
		r.Index = have.Index()
		return r, nil
	}
	if !errors.Is(err, storage.ErrNotExist) {
		return nil, fmt.Errorf("rows of dataset %s: %w", id, err)
	}
	content, err := l.content(ctx, d)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	r.Index, err = rowstore.Write(ctx, l.bucket, r.Prefix, content, data.Columns{}, streamed, rowstore.Limits{})
	if err != nil {
		return nil, readError(err)
	}
	return r, nil
}

// streamed is how files are read that are not held in memory.
var streamed = data.Options{Recognize: structure.Recognize, Mechanisms: structure.Mechanisms()}

// content opens the table that a dataset was uploaded as.
func (l *Library) content(ctx context.Context, d *Dataset) (io.ReadCloser, error) {
	if s, ok := data.Shipped(d.ID); ok {
		return io.NopCloser(strings.NewReader(s.CSV())), nil
	}
	o, err := l.bucket.Get(ctx, keys.DatasetTable(d.ID))
	if err != nil {
		return nil, fmt.Errorf("rows of dataset %s: %w", d.ID, err)
	}
	return o, nil
}

// AddLibrary stores a file of any length as a dataset without targets, in a stream.
// Rows that are no polymers keep their place, with their errors in the results.
func (l *Library) AddLibrary(ctx context.Context, r io.Reader, name string) (*Dataset, error) {
	if name == "" {
		name = "library"
	}
	id := jobs.NewID(jobs.DatasetPrefix)
	index, err := rowstore.Write(ctx, l.bucket, keys.DatasetLibrary(id), r, data.Columns{}, streamed, rowstore.Limits{Bytes: l.limits.LibraryBytes, Rows: l.limits.LibraryRows})
	if err != nil {
		return nil, errors.Join(readError(err), l.removeRows(context.WithoutCancel(ctx), id))
	}
	now := l.now().UTC()
	d := &Dataset{
		ID: id, Object: "dataset", Name: name, Hash: index.Hash, Rows: int(index.Rows), Columns: index.Header, CreatedAt: &now, Owner: access.Name(ctx),
		Structure: []string{}, Notations: map[string]int{}, Targets: []Target{}, Defects: []data.Defect{}, NotProposed: []data.Unlikely{}, Warnings: []data.Warning{},
		Library: true,
	}
	for _, h := range []string{index.Roles.Polymer, index.Roles.RepeatUnit, index.Roles.Monomers, index.Roles.Mechanism} {
		if h != "" {
			d.Structure = append(d.Structure, h)
		}
	}
	if index.Broken > 0 {
		d.Warnings = append(d.Warnings, data.Warning{Code: "rows_broken", Detail: fmt.Sprintf("%d of %d rows cannot be told apart into cells; they have that for their result", index.Broken, index.Rows)})
	}
	if err := record.Create(ctx, l.bucket, keys.DatasetMeta(id), d); err != nil {
		return nil, fmt.Errorf("store dataset: %w", err)
	}
	return d, nil
}

// removeRows removes what rowstore.Write has stored of a dataset.
func (l *Library) removeRows(ctx context.Context, id string) error {
	var stored []string
	for e, err := range l.bucket.List(ctx, keys.DatasetLibrary(id)) {
		if err != nil {
			return fmt.Errorf("delete rows of dataset %s: %w", id, err)
		}
		stored = append(stored, e.Key)
	}
	for _, key := range stored {
		if err := l.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete rows of dataset %s: %w", id, err)
		}
	}
	return nil
}
