package revision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/keras"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// Paths of a revision's files.
const (
	CardPath        = "README.md"
	ConfigPath      = "config.json"
	MetricsPath     = "metrics.json"
	PredictionsPath = "predictions.csv"
	FoldsPath       = "folds.json"
	HistoryPath     = "history.csv"
	CalibrationPath = "calibration.json"
	DomainPath      = "domain_of_validity.json"
	StackPath       = stack.JSONFile
	StackArrays     = stack.TensorsFile
	PlotsDir        = "plots" // images for the card
)

const (
	maxFolds = 100
	maxJSON  = 256 << 20 // bytes of a JSON file that Open believes: a calibration of millions of rows
)

// ModelPath is the path of a fold's model.
func ModelPath(fold int) string { return fmt.Sprintf("%s/model.safetensors", FoldDir(fold)) }

// FoldDir is the folder of a fold's files.
func FoldDir(fold int) string { return fmt.Sprintf("model_fold_%d", fold) }

// Wanted reports whether Open looks at a path, so that a download can leave out
// the rest.
func Wanted(p string) bool {
	switch p {
	case ConfigPath, MetricsPath, CalibrationPath, DomainPath, StackPath, StackArrays, PredictionsPath:
		return true
	}
	dir, file := path.Split(p)
	return file == "model.safetensors" && strings.HasPrefix(dir, "model_fold_") && strings.Count(dir, "/") == 1
}

// Owns reports whether a path is one that a revision has or may have had, so
// that the next one in its place takes it away: not what people put beside it.
func Owns(p string) bool {
	switch root, _, inside := strings.Cut(p, "/"); {
	case inside:
		return strings.HasPrefix(root, "model_") || root == PlotsDir
	case strings.HasPrefix(p, "model_"), p == keras.Parameters, p == keras.ShimPath:
		return true
	}
	return slices.Contains([]string{CardPath, ConfigPath, MetricsPath, PredictionsPath, FoldsPath, HistoryPath, CalibrationPath, DomainPath, StackPath, StackArrays}, p)
}

// Revision is a published ensemble.
type Revision struct {
	Config      Config
	Models      []*checkpoint.Model   // by fold, without training state
	Calibration *ensemble.Calibration // nil if Config.Absent says why
	Domain      *featurize.Domain     // likewise
	Stack       *stack.Stack          // nil if the network predicts alone
	Metrics     Metrics
	Known       []Known // training polymers; nil if the files do not hold them. Read by Open

	// Written, and not read by Open.
	Predictions []Prediction
	Folds       data.Folds      // by row of Predictions; nil if Config.Absent says why
	History     [][]train.Epoch // by fold; may be nil
}

// Put stores one file of a revision.
type Put func(path string, body []byte) error

// Write writes every file but the card, which depends on where the revision is
// published, and then what more adds: Python's files. Of more it checks that
// each path is new and that nothing but folds begins with model_ at the root,
// which PolyID's loader would take for one. It sets the format's own fields of
// the configuration. Equal revisions give equal bytes.
func (r *Revision) Write(put Put, more ...func(Put) error) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("write revision: %w", err)
	}
	written := map[string]bool{CardPath: true}
	once := func(p string, body []byte) error {
		if root, _, inside := strings.Cut(p, "/"); strings.HasPrefix(root, "model_") && (!inside || !strings.HasPrefix(root, "model_fold_")) {
			return fmt.Errorf("write revision: %s: PolyID's loader would take it for a fold", p)
		}
		if written[p] || !fs.ValidPath(p) {
			return fmt.Errorf("write revision: %q is written twice, or is no path", p)
		}
		written[p] = true
		if err := put(p, body); err != nil {
			return fmt.Errorf("write %s: %w", p, err)
		}
		return nil
	}
	for i, m := range r.Models {
		var b bytes.Buffer
		if err := checkpoint.Write(&b, m); err != nil {
			return fmt.Errorf("write %s: %w", ModelPath(i), err)
		}
		if err := once(ModelPath(i), b.Bytes()); err != nil {
			return err
		}
	}
	if err := r.writeTables(once); err != nil {
		return err
	}
	if err := r.writeStack(once); err != nil {
		return err
	}
	if err := r.writeFigures(once); err != nil {
		return err
	}
	for _, f := range more {
		if err := f(once); err != nil {
			return err
		}
	}
	return nil
}

// writeTables writes all that is not weights.
func (r *Revision) writeTables(put Put) error {
	documents := []struct {
		path  string
		value any
		there bool
	}{
		{ConfigPath, r.Config, true},
		{MetricsPath, r.Metrics, true},
		{CalibrationPath, r.Calibration, r.Calibration != nil},
		{DomainPath, r.Domain, r.Domain != nil},
		{FoldsPath, r.Folds, r.Folds != nil},
	}
	for _, d := range documents {
		if !d.there {
			continue
		}
		body, err := json.MarshalIndent(d.value, "", " ")
		if err != nil {
			return fmt.Errorf("write %s: %w", d.path, err)
		}
		if err := put(d.path, append(body, '\n')); err != nil {
			return err
		}
	}
	if r.Predictions != nil {
		body, err := predictionsCSV(r.Config.Targets, r.Predictions, r.Config.Intervals.WithDefaults().Level, !r.Config.WithoutRows)
		if err != nil {
			return fmt.Errorf("write %s: %w", PredictionsPath, err)
		}
		if err := put(PredictionsPath, body); err != nil {
			return err
		}
	}
	if r.History != nil {
		body, err := historyCSV(r.Config.Targets, r.History)
		if err != nil {
			return fmt.Errorf("write %s: %w", HistoryPath, err)
		}
		return put(HistoryPath, body)
	}
	return nil
}

func (r *Revision) writeStack(put Put) error {
	if r.Stack == nil {
		return nil
	}
	var arrays bytes.Buffer
	document, err := r.Stack.Encode(&arrays)
	if err != nil {
		return err
	}
	if err := put(StackPath, document); err != nil {
		return err
	}
	return put(StackArrays, arrays.Bytes())
}

// check completes the configuration and reports what does not belong together.
func (r *Revision) check() error {
	r.Config.Format, r.Config.SchemaVersion, r.Config.Folds = format, schema, len(r.Models)
	if err := r.Config.Validate(); err != nil {
		return err
	}
	if err := r.belongs(); err != nil {
		return err
	}
	k := len(r.Config.Targets)
	for i, p := range r.Predictions {
		if p.Fold < Holdout || p.Fold >= len(r.Models) || len(p.Measured) != k || len(p.Predicted) != k ||
			p.Std != nil && len(p.Std) != k || p.Interval != nil && len(p.Interval) != k {
			return fmt.Errorf("prediction %d does not fit %d folds and %d targets", i, len(r.Models), k)
		}
	}
	for path, there := range map[string]bool{PredictionsPath: r.Predictions != nil, FoldsPath: r.Folds != nil} {
		if !there && r.Config.Absent[path] == "" {
			return fmt.Errorf("there is no %s, and no reason for it", path)
		}
	}
	if r.Folds != nil && len(r.Folds) != len(r.Models) {
		return fmt.Errorf("a split of %d folds for %d models", len(r.Folds), len(r.Models))
	}
	if r.History != nil && len(r.History) != len(r.Models) {
		return fmt.Errorf("%d histories for %d models", len(r.History), len(r.Models))
	}
	for i, h := range r.History {
		for _, e := range h {
			if len(e.ValMAE) != k {
				return fmt.Errorf("epoch %d of fold %d has %d errors for %d targets", e.Epoch, i, len(e.ValMAE), k)
			}
		}
	}
	return nil
}

// belongs reports which of the parts that predict are not of one ensemble.
func (r *Revision) belongs() error {
	if len(r.Models) != r.Config.Folds {
		return fmt.Errorf("%d models, %s says %d", len(r.Models), ConfigPath, r.Config.Folds)
	}
	for i, m := range r.Models {
		if err := r.Config.matches(i, m); err != nil {
			return fmt.Errorf("%s: %w", ModelPath(i), err)
		}
		if want := r.Models[0].Origin; m.Origin.DataHash != want.DataHash || m.Origin.Seed != want.Seed {
			return fmt.Errorf("%s: it was trained on other data or with another seed than fold 0", ModelPath(i))
		}
	}
	for path, there := range map[string]bool{CalibrationPath: r.Calibration != nil, DomainPath: r.Domain != nil} {
		if !there && r.Config.Absent[path] == "" {
			return fmt.Errorf("there is no %s, and no reason for it", path)
		}
	}
	if r.Calibration != nil {
		if err := r.Calibration.Fits(r.Config.Targets, r.Config.Folds); err != nil {
			return fmt.Errorf("%s: %w", CalibrationPath, err)
		}
	}
	if r.Stack != nil {
		if err := r.stackBelongs(); err != nil {
			return fmt.Errorf("%s: %w", StackPath, err)
		}
	}
	return nil
}

func (r *Revision) stackBelongs() error {
	if r.Stack.Folds != r.Config.Folds || len(r.Stack.Targets) != len(r.Config.Targets) {
		return fmt.Errorf("it is of %d folds and %d targets, the ensemble of %d and %d",
			r.Stack.Folds, len(r.Stack.Targets), r.Config.Folds, len(r.Config.Targets))
	}
	if known, stated := r.Stack.Space.Conditions, r.Config.Columns.Conditions; !slices.Equal(known, stated) {
		return fmt.Errorf("its conditions are %q, those of %s %q", known, ConfigPath, stated)
	}
	for k, t := range r.Stack.Targets {
		if t.Name != r.Config.Targets[k].Name {
			return fmt.Errorf("target %d is %.80q, the ensemble's is %s", k, t.Name, r.Config.Targets[k].Name)
		}
	}
	return nil
}

// Open reads what Write wrote, from a directory that holds at least the Wanted
// files, and refuses everything else with the reason.
func Open(dir fs.FS) (*Revision, error) {
	r := &Revision{}
	if err := readJSON(dir, ConfigPath, &r.Config); err != nil {
		return nil, fmt.Errorf("open revision: %w", err)
	}
	if err := r.Config.Validate(); err != nil {
		return nil, fmt.Errorf("open revision: %s: %w", ConfigPath, err)
	}
	if err := readJSON(dir, MetricsPath, &r.Metrics); err != nil {
		return nil, fmt.Errorf("open revision: %w", err)
	}
	if err := r.readOptional(dir); err != nil {
		return nil, fmt.Errorf("open revision: %w", err)
	}
	for i := range r.Config.Folds {
		m, err := readModel(dir, ModelPath(i))
		if err != nil {
			return nil, fmt.Errorf("open revision: %w", err)
		}
		r.Models = append(r.Models, m)
	}
	if err := r.belongs(); err != nil {
		return nil, fmt.Errorf("open revision: %w", err)
	}
	return r, nil
}

func (r *Revision) readOptional(dir fs.FS) error {
	body, err := readFile(dir, CalibrationPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if r.Calibration, err = ensemble.ParseCalibration(body); err != nil {
			return fmt.Errorf("%s: %w", CalibrationPath, err)
		}
	}
	domain := &featurize.Domain{}
	switch err := readJSON(dir, DomainPath, domain); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		r.Domain = domain
	}
	if err := r.readKnown(dir); err != nil {
		return err
	}
	return r.readStack(dir)
}

func (r *Revision) readStack(dir fs.FS) error {
	document, err := readFile(dir, StackPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	arrays, err := dir.Open(StackArrays)
	if err != nil {
		return err
	}
	defer arrays.Close()
	r.Stack, err = stack.Decode(document, arrays)
	return err
}

func readModel(dir fs.FS, p string) (*checkpoint.Model, error) {
	f, err := dir.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := checkpoint.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return m, nil
}

func readJSON(dir fs.FS, p string, into any) error {
	body, err := readFile(dir, p)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return nil
}

func readFile(dir fs.FS, p string) ([]byte, error) {
	f, err := dir.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	if len(body) > maxJSON {
		return nil, fmt.Errorf("%s: it is larger than %d bytes", p, maxJSON)
	}
	return body, nil
}
