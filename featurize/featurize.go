// Package featurize turns polymers into the graphs PolyID's network learns
// from: feature strings equal to nfp's and PolyID's under RDKit 2026.9.1,
// nfp's directed edges, and tokenizers fitted on training rows.
//
// A Featurizer makes one Graph per polymer, with features numbered by its two
// Lexicons. A fold fits a Vocab on its training rows and binds it, which maps
// those numbers to tokens; the graphs themselves serve every fold.
//
// Domain says how far a polymer lies outside a training set.
package featurize

import (
	"fmt"
	"sync"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// Featurizer makes graphs with one pair of feature functions, numbered by its
// Lexicons. It is safe for concurrent use.
type Featurizer struct {
	Lexicons
	config      Config
	atomFeature AtomFunc
	bondFeature BondFunc
	builders    sync.Pool // *builder
}

// New makes a Featurizer; what c leaves empty takes its default.
func New(c Config) (*Featurizer, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	f := &Featurizer{config: c}
	f.atomFeature, _ = AtomFeature(c.Atom)
	f.bondFeature, _ = BondFeature(c.Bond)
	return f, nil
}

// Config is what New was given, with defaults.
func (f *Featurizer) Config() Config { return f.config }

// Graph reads a SMILES and makes its graph. Errors are those of smiles.Read.
func (f *Featurizer) Graph(s string) (*Graph, error) {
	m, err := f.Read(s)
	if err != nil {
		return nil, err
	}
	return f.GraphOf(m), nil
}

// Read reads a SMILES as far as the feature functions look: smiles.Read and,
// where it can make a difference, mol.AssignStereo.
func (f *Featurizer) Read(s string) (*mol.Mol, error) {
	m, err := smiles.Read(s)
	if err != nil {
		return nil, err
	}
	if f.config.needsStereo() || tagsHoldHydrogens(m) {
		mol.AssignStereo(m)
	}
	return m, nil
}

// GraphOf makes the graph of a molecule as Read gives it, which gets all its
// hydrogens as atoms.
func (f *Featurizer) GraphOf(m *mol.Mol) *Graph {
	b, ok := f.builders.Get().(*builder)
	if !ok {
		b = f.builder(&f.Lexicons)
	}
	defer f.builders.Put(b)
	return b.build(m)
}

// builder makes a builder that numbers features by l.
func (f *Featurizer) builder(l *Lexicons) *builder {
	return &builder{
		atomFeature: f.atomFeature, bondFeature: f.bondFeature,
		diads: f.config.needsDiads(), undirected: !f.config.directed(),
		lexicons: l,
	}
}

// tagsHoldHydrogens reports whether m has a chiral tag without which
// mol.AssignStereo could count other hydrogens. It drops a tag that means
// nothing together with the hydrogen written for it, [PH@] say, and leaves it
// to the valence how many there are; mostly it is the one. Only then do
// features that ignore stereochemistry depend on it.
func tagsHoldHydrogens(m *mol.Mol) bool {
	for i := range m.Atoms {
		a := &m.Atoms[i]
		if a.Chirality == mol.Unspecified || a.ExplicitHs != 1 {
			continue
		}
		written := *a
		a.ExplicitHs, a.NoImplicit = 0, false
		m.UpdateHs(i)
		changed := a.ImplicitHs != 1
		*a = written
		if changed {
			return true
		}
	}
	return false
}
