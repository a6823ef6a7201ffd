package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
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
	// Chains that were grown, by row; none for one that states its chain.
	Chains [][]structure.Chain `json:"chains"`
	// Learned names what is learned from: tables, split and chains.
	Learned string `json:"learned"`
}

const preparationSchema = 1

// maxPreparation bounds prepared.json in bytes: 200,000 rows with chains of 1,200
// atoms have a fifth of it.
const maxPreparation = 4 << 30

// name sets Learned.
func (p *Preparation) name() error {
	// What a chain is called besides does not change what is learned.
	type chain struct {
		SMILES    string
		Replicate int
	}
	learned := make([][]chain, len(p.Chains))
	for i, grown := range p.Chains {
		for _, c := range grown {
			learned[i] = append(learned[i], chain{c.SMILES, c.Replicate})
		}
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode([]any{p.Data.Hash, p.Folds, p.Holdout, learned}); err != nil {
		return err
	}
	p.Learned = hex.EncodeToString(h.Sum(nil))
	return nil
}

// readPreparation reads what prepare left; storage.ErrNotExist if nothing.
func readPreparation(ctx context.Context, b storage.Bucket, job string) (*Preparation, error) {
	body, err := read(ctx, b, PreparedKey(job), maxPreparation)
	if err != nil {
		return nil, err
	}
	var p Preparation
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("reading %s: %w", PreparedKey(job), err)
	}
	if p.SchemaVersion != preparationSchema {
		return nil, failure("schema", "%s has schema %d, this worker knows %d: run a newer one", PreparedKey(job), p.SchemaVersion, preparationSchema)
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
