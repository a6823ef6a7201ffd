// Package featurize turns polymers into the graphs PolyID's network learns
// from: feature strings equal to nfp's and PolyID's under RDKit 2026.9.1,
// nfp's directed edges, and tokenizers fitted on training rows.
package featurize
