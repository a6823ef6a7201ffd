package predict

import (
	"context"
	"fmt"
	"io/fs"
	"math"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
)

// Open loads a revision from its files: a directory with a config.json, or one that
// PolyID itself saved. The caller closes it.
func Open(repo, commit string, dir fs.FS, newEngine nn.NewEngine, maxAtoms int) (*Model, error) {
	open := func(dir fs.FS, _ string) (*revision.Revision, error) { return revision.Open(dir) }
	if _, err := fs.Stat(dir, revision.ConfigPath); err != nil {
		open = revision.Import
	}
	r, err := open(dir, repo+" at "+commit)
	if err != nil {
		return nil, err
	}
	if maxAtoms == 0 {
		maxAtoms = DefaultMaxAtoms
	}
	return newModel(repo, commit, r, newEngine, maxAtoms)
}

// Close closes a model that Open has loaded.
func (m *Model) Close() { m.retire() }

// Kernel names what the model computes with: predictions are the same to the bit
// where it is the same.
func (m *Model) Kernel() string { return m.ensemble.Path() }

// KernelOf is the Kernel of a model on such engines.
func KernelOf(e nn.Engine) string { return ensemble.PathOf(e) }

// together is how many polymers of a library go through the ensemble at once: more
// than of a request, since nobody waits for the first of them.
const together = 32

// PredictSheet predicts the rows of a sheet, so many groups of polymers at once, and
// passes the results on in their order, from one goroutine. A row that is no polymer
// has that for its result. columns says which columns hold structures.
func (m *Model) PredictSheet(ctx context.Context, s *data.Sheet, columns data.Columns, cores int, emit func(int, Result) error) error {
	t, err := newTable(ctx, m, s, columns, data.Options{ForPrediction: true, Mechanisms: structure.Mechanisms(), MaxDefects: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	return run(ctx, m, slots{make(chan struct{}, cores)}, len(s.Rows), together, t.polymer(m), emit)
}
