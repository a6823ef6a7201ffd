// Package search proposes hyper-parameters: it states the space that a search
// looks in, draws points of it, and says which trials of a search go on.
//
// Everything here is a pure function of the space, the seed, the number of the
// trial and the scores so far, so that a search that is interrupted anywhere makes
// the same proposals again, on any machine and in any order of events.
//
// [Random] draws points independently. [TPE] is the tree-structured Parzen
// estimator of Bergstra and others (NeurIPS 2011) as Optuna implements it, in
// batches. [Rungs] and [Promote] are successive halving (Jamieson and Talwalkar,
// AISTATS 2016): a rung is decided once all of its trials have reached it.
package search
