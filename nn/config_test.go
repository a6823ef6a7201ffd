package nn_test

import (
	"encoding/json"
	"testing"

	"polyid-trainer/nn"
)

func TestDefaultsArePolyIDs(t *testing.T) {
	t.Parallel()
	var c nn.Config
	const published = `{"name": "global100", "atom_features": 128, "bond_features": 128, "mol_features": 8, "num_messages": 12, "dropout": 0.05}`
	if err := json.Unmarshal([]byte(published), &c); err != nil {
		t.Fatal(err)
	}
	if c != nn.DefaultConfig() {
		t.Errorf("DefaultConfig() = %+v, want %+v", nn.DefaultConfig(), c)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*nn.Config){
		"name":          func(c *nn.Config) { c.Name = "global101" },
		"atom_features": func(c *nn.Config) { c.AtomFeatures = -1 },
		"bond_features": func(c *nn.Config) { c.BondFeatures = -1 },
		"mol_features":  func(c *nn.Config) { c.MolFeatures = nn.MaxFeatures + 1 },
		"num_messages":  func(c *nn.Config) { c.NumMessages = nn.MaxMessages + 1 },
		"dropout":       func(c *nn.Config) { c.Dropout = 1 },
	} {
		c := nn.DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("a bad %s was accepted: %+v", name, c)
		}
	}
}
