// Package structure makes finished chains of polymers as tables and requests
// state them: a chain, a repeat unit, or monomers with a mechanism. It is where
// data, which knows no chemistry, and featurize, which knows no tables, meet.
package structure
