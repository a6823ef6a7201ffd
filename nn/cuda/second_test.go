package cuda

import (
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn"
	"polyid-trainer/nn/dataset"
)

// second is the second shipped table as a job learns it: chains grown of its
// repeat units, five properties of which most are unmeasured; every stride-th
// row.
func second(t *testing.T, c nn.Config, stride int) ([]nn.Example, nn.Sizes) {
	t.Helper()
	shipped, _ := data.Shipped("polymers_multiproperty")
	table, _, err := data.Parse(t.Context(), []*data.Sheet{shipped.Sheet()}, data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var smiles []string
	fold := data.Fold{Validate: []int{0}}
	for i := range table.Structures {
		chains, err := structure.Defaults{}.WithDefaults().Chains(&table.Structures[i])
		if err != nil || len(chains) != 1 {
			t.Fatalf("row %d: %d chains, %v", i, len(chains), err)
		}
		smiles = append(smiles, chains[0].SMILES)
		fold.Train = append(fold.Train, i)
	}
	t.Logf("%d rows, %d targets", table.Rows(), len(table.Targets))
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.New(t.Context(), f, smiles, c.NumMessages, nil)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := set.Fold(table, fold)
	if err != nil {
		t.Fatal(err)
	}
	var examples []nn.Example
	for i := 0; i < len(bound.Train); i += stride {
		examples = append(examples, bound.Train[i])
	}
	return examples, bound.Sizes()
}

// A sample of the second table's polymers, in which unmeasured targets, five
// heads and other elements come in.
func TestAgreesOnSecondTable(t *testing.T) {
	t.Parallel()
	examples, s := second(t, small, 90)
	agreeOn(t, openShim(t, 256), small, s, examples, smallNoise, 10, 1e-4)
}

// All of them.
func TestLongAgreesOnSecondTable(t *testing.T) {
	t.Parallel()
	long(t)
	examples, s := second(t, small, 1)
	agreeOn(t, openShim(t, 1024), small, s, examples, smallNoise, 10, 1e-4)
}
