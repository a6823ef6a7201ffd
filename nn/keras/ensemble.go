package keras

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"polyid-trainer/nn/checkpoint"
)

// Limits on the size of a file, in bytes. PolyID's published network with its
// optimizer takes 53 MB, and a data file a few tens of kB, or as much as the
// training table if it was saved too.
const (
	MaxWeights = 512 << 20
	MaxData    = 256 << 20
)

// Wanted reports whether Read looks at a path below the folder, so that a
// download can leave out the rest.
func Wanted(p string) bool {
	if p == Parameters {
		return true
	}
	dir, file := path.Split(p)
	name := strings.TrimSuffix(dir, "/")
	return strings.HasPrefix(name, "model_") && !strings.Contains(name, "/") && (file == name+".h5" || file == name+"_data.pk")
}

// Parameters is the file that every folder of PolyID's has at its root.
const Parameters = "parameters.pk"

// Read reads the ensemble in a folder that PolyID's MultiModel saved, its folds
// in the order of their numbers. The models have no training state.
func Read(folder fs.FS) ([]*checkpoint.Model, error) {
	names, err := folds(folder)
	if err != nil {
		return nil, err
	}
	raw, err := readFile(folder, Parameters, MaxData)
	if err != nil {
		return nil, err
	}
	targets, err := Targets(raw)
	if err != nil {
		return nil, err
	}
	models := make([]*checkpoint.Model, len(names))
	for i, name := range names {
		m, err := readFold(folder, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if got, want := targetNames(m.Targets), targetNames(targets); !slices.Equal(got, want) {
			return nil, fmt.Errorf("%s predicts %q, %s says %q", name, got, Parameters, want)
		}
		m.Targets = targets
		m.Origin.Fold = i
		models[i] = m
	}
	return models, nil
}

// folds lists the folders of the folds: model_0, model_1, … or model_fold_0, …
func folds(folder fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "model_") {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no folder model_* is there: not an ensemble that PolyID saved")
	}
	number := func(name string) int {
		n, err := strconv.Atoi(name[strings.LastIndexByte(name, '_')+1:])
		if err != nil {
			return -1
		}
		return n
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a, b))
	})
	return names, nil
}

func readFold(folder fs.FS, name string) (*checkpoint.Model, error) {
	pk := name + "_data.pk"
	raw, err := readFile(folder, path.Join(name, pk), MaxData)
	if err != nil {
		return nil, err
	}
	m, err := parseData(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pk, err)
	}
	h5 := name + ".h5"
	if raw, err = readFile(folder, path.Join(name, h5), MaxWeights); err != nil {
		return nil, err
	}
	c, s, weights, err := readWeights(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h5, err)
	}
	m.Config, m.Weights = c, weights
	if got := m.Sizes(); got != s {
		return nil, fmt.Errorf("%s is for %d atom classes, %d bond classes and %d targets, %s for %d, %d and %d",
			h5, s.AtomClasses, s.BondClasses, s.Targets, pk, got.AtomClasses, got.BondClasses, got.Targets)
	}
	return m, m.Validate()
}

// readFile reads a file of at most limit bytes.
func readFile(folder fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), limit)
	}
	return fs.ReadFile(folder, name)
}

func targetNames(targets []checkpoint.Target) []string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	return names
}
