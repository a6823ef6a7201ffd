package revision

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/train"
)

const (
	format = "polyid-trainer ensemble"
	schema = 1
)

// Config is config.json: what was trained, on what and how. Everything in it
// was asked for or measured; what is unknown is left out.
type Config struct {
	Format        string    `json:"format"`
	SchemaVersion int       `json:"schema_version"`
	Job           string    `json:"job,omitempty"`       // id of the training job
	Imported      string    `json:"imported,omitempty"`  // what the models were read from, if they were not trained here
	CreatedAt     time.Time `json:"created_at,omitzero"` // when the last fold was done; zero if imported
	CodeVersion   string    `json:"code_version,omitempty"`

	Targets     []checkpoint.Target `json:"targets"`
	Folds       int                 `json:"kfolds"`
	Seed        uint64              `json:"seed"`
	Model       nn.Config           `json:"model"`
	Features    featurize.Config    `json:"features"`
	Training    *train.Config       `json:"training,omitempty"` // nil if imported
	KernelPaths []string            `json:"kernel_paths"`       // that took the steps; one, or nothing reproduces to the bit

	Chains    Chains             `json:"chains"`
	Intervals ensemble.Intervals `json:"intervals,omitzero"` // zero is CV+ at ensemble.Level
	Data      Data               `json:"data"`

	// Columns are what the job stated of its table's columns and units; an input
	// file with columns of these names is read alike.
	Columns data.Columns `json:"columns,omitzero"`

	// WithoutRows says that predictions.csv holds neither structures nor measured
	// values.
	WithoutRows bool `json:"without_rows,omitempty"`

	Run *Run `json:"run,omitempty"` // nil if imported

	// Absent says why files that a revision usually has are not there, by path:
	// an imported model has no residuals.
	Absent map[string]string `json:"absent,omitempty"`
}

// Chains says how the polymers of the training table became chains. It is what
// an input that leaves this open is given.
type Chains struct {
	Notations []data.Notation `json:"notations"`            // rows were stated in, the most frequent first
	DP        int             `json:"dp,omitempty"`         // monomers or repeat units in a chain; 0 if the rows differ or do not say
	EndGroups string          `json:"end_groups,omitempty"` // in words
	// MaxHeavyAtoms is what the DP of a chain shrank for; 0 if nothing did.
	MaxHeavyAtoms int      `json:"max_heavy_atoms,omitempty"`
	Replicates    int      `json:"replicates"` // chains for each polymer stated by monomers
	Periodic      bool     `json:"periodic"`   // repeat units were closed to rings
	Mechanisms    []string `json:"mechanisms,omitempty"`
}

// Data names what was learned from.
type Data struct {
	Name     string           `json:"name"`
	Hash     string           `json:"hash"` // of the table
	Licence  string           `json:"licence,omitempty"`
	Source   string           `json:"source,omitempty"`
	Rows     int              `json:"rows"`
	Polymers int              `json:"polymers"`
	Holdout  int              `json:"holdout_rows"`
	GroupBy  data.Grouping    `json:"group_by"`           // what a fold may not divide
	OrderBy  string           `json:"order_by,omitempty"` // the column whose order the folds follow
	Graphs   *data.GraphStats `json:"graphs,omitempty"`   // how much of the table the network can tell apart
}

// Run is what the training took.
type Run struct {
	StartedAt     time.Time `json:"started_at"`
	FinishedAt    time.Time `json:"finished_at"`
	WorkerSeconds float64   `json:"worker_seconds"` // process time, divided among the folds a process trained at once
	USD           *float64  `json:"usd,omitempty"`  // nil if workers had no price
	Hardware      []string  `json:"hardware"`       // of each kind of machine that took part
}

// Validate reports everything that makes c no configuration of a revision that
// this program reads.
func (c Config) Validate() error {
	if c.Format != format {
		return fmt.Errorf("format: it is %.80q, not %q", c.Format, format)
	}
	if c.SchemaVersion != schema {
		return fmt.Errorf("schema_version: it is %d, this program reads %d: run a newer one", c.SchemaVersion, schema)
	}
	var errs []error
	if c.Folds < 1 || c.Folds > maxFolds {
		errs = append(errs, fmt.Errorf("kfolds: %d is not between 1 and %d", c.Folds, maxFolds))
	}
	if len(c.Targets) == 0 {
		errs = append(errs, errors.New("targets: there are none"))
	}
	for i, t := range c.Targets {
		if t.Name == "" || slices.IndexFunc(c.Targets, func(o checkpoint.Target) bool { return o.Name == t.Name }) != i {
			errs = append(errs, fmt.Errorf("targets: %.80q is empty or comes twice", t.Name))
		}
	}
	if n := c.Chains; n.DP < 0 || n.Replicates < 0 || n.MaxHeavyAtoms < 0 {
		errs = append(errs, fmt.Errorf("chains: a DP of %d with %d replicates and at most %d heavy atoms", n.DP, n.Replicates, n.MaxHeavyAtoms))
	}
	return errors.Join(append(errs, c.Model.Validate(), c.Features.Validate())...)
}

// matches reports why m is not fold i of the ensemble that c describes.
func (c Config) matches(i int, m *checkpoint.Model) error {
	switch {
	case m.Training != nil:
		return errors.New("it holds training state: it is a checkpoint, not a published model")
	case m.Origin.Fold != i:
		return fmt.Errorf("it is fold %d", m.Origin.Fold)
	case !slices.Equal(m.Targets, c.Targets):
		return fmt.Errorf("it predicts %v, the ensemble %v", m.Targets, c.Targets)
	case m.Config != c.Model:
		return fmt.Errorf("its network is %+v, the ensemble's %+v", m.Config, c.Model)
	case m.Features.WithDefaults() != c.Features.WithDefaults():
		return fmt.Errorf("it reads features %v, the ensemble %v", m.Features, c.Features)
	}
	return nil
}
