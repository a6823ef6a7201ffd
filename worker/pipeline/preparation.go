package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// Preparation is prepared.json: all that follows from a job's tables and that
// every fold must agree on. Rows count from 0, in dataset.csv, and go on in
// holdout.csv where there is one.
type Preparation struct {
	SchemaVersion int              `json:"schema_version"`
	Data          jobs.Prepared    `json:"data"`
	Warnings      []jobs.Warning   `json:"warnings"`
	Folds         data.Folds       `json:"folds"`
	Holdout       []int            `json:"holdout"`
	Groups        data.Groups      `json:"groups"` // of every row: what stayed together
	Graphs        data.GraphStats  `json:"graphs"`
	Grower        structure.Grower `json:"defaults"`
	// Learned names what is learned from: tables, split and chains.
	Learned string `json:"learned"`
	// Chains are those of the rows in schema 1; later they are an object of their
	// own, see keys.Chains.
	Chains [][]structure.Chain `json:"chains,omitempty"`
}

const preparationSchema = 2 // 1 is read too: a job may have been prepared by an older worker

// What prepared.json and the chains may have in bytes: 200,000 rows in 20 folds
// take 30 MB, and their chains of 1,200 atoms about 40 MB.
const (
	maxPreparation = 1 << 30
	maxChains      = 1 << 30
)

// name sets Learned: what a chain is called besides its SMILES and replicate does
// not change what is learned.
func (p *Preparation) name(rows chains) error {
	head, err := json.Marshal([]any{p.Data.Hash, p.Folds, p.Holdout})
	if err != nil {
		return err
	}
	h := sha256.New() // of one array, the chains its last element
	h.Write(head[:len(head)-1])
	separator := ",["
	type chain struct {
		SMILES    string
		Replicate int
	}
	for row, err := range rows.each() {
		var learned []chain
		for _, c := range row {
			learned = append(learned, chain{c.SMILES, c.Replicate})
		}
		text, wrong := json.Marshal(learned)
		if err := errors.Join(err, wrong); err != nil {
			return err
		}
		io.WriteString(h, separator)
		h.Write(text)
		separator = ","
	}
	io.WriteString(h, "]]\n")
	p.Learned = hex.EncodeToString(h.Sum(nil))
	return nil
}

// readPreparation reads what prepare left; storage.ErrNotExist if nothing.
func readPreparation(ctx context.Context, b storage.Bucket, job string) (*Preparation, error) {
	body, err := read(ctx, b, keys.Prepared(job), maxPreparation)
	if err != nil {
		return nil, err
	}
	var p Preparation
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("reading %s: %w", keys.Prepared(job), err)
	}
	if p.SchemaVersion < 1 || p.SchemaVersion > preparationSchema {
		return nil, failure("schema", "%s has schema %d, this worker knows up to %d: let newer workers finish the job, or submit it again", keys.Prepared(job), p.SchemaVersion, preparationSchema)
	}
	return &p, nil
}

// read reads an object of at most limit bytes.
func read(ctx context.Context, b storage.Bucket, key string, limit int64) ([]byte, error) {
	o, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("reading %s: it is larger than %d bytes", key, limit)
	}
	return body, nil
}
