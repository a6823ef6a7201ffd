package nn

// Config is the shape of the network; the JSON is a training job's "model".
type Config struct {
	Name         string  `json:"name"`          // "global100", the only network there is
	AtomFeatures int     `json:"atom_features"` // F: width of atom and bond states
	BondFeatures int     `json:"bond_features"` // accepted for PolyID's sake; global100 ignores it
	MolFeatures  int     `json:"mol_features"`  // M: width of the global state
	NumMessages  int     `json:"num_messages"`  // L: blocks
	Dropout      float64 `json:"dropout"`       // of the heads' input
}

// Sizes is what the data adds to Config.
type Sizes struct {
	AtomClasses int // rows of the atom embedding, padding and unknown included
	BondClasses int // rows of the bond embedding, likewise
	Targets     int // heads
}
