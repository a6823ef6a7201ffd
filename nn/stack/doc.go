// Package stack learns properties beside the network and blends all predictions.
//
// A message-passing network is at its best where a property sums over the chain;
// on small tables fingerprints with trees are level with it or better, and the
// errors of the two differ. A Stack holds, for each property, a few members:
//
//	network     the ensemble's own predictions, as they come
//	trees       gradient-boosted trees and a random forest (package trees)
//	neighbours  the nearest training polymers by Tanimoto similarity
//	linear      ridge regression
//	dense       a dense network with dropout, differentiated by Gorgonia
//
// Members but the network see descriptors, counts of Morgan environments per
// repeat unit, and conditions of the measurement. Each is fitted once a fold, to
// the rows that the fold does not validate. The blend's weights are ≥ 0, sum to 1
// and are fitted to out-of-fold predictions.
//
// # What a score has seen
//
// The out-of-fold prediction of a row comes from members that saw neither the row
// nor its group, blended with weights that were fitted to the out-of-fold rows of
// the other folds. The networks of the other folds, whose out-of-fold predictions
// those weights were fitted to, did see the row: only the few weights could carry
// something over.
//
// # Difficulty
//
// A stack also says how large an error is to be expected ([Prediction].Difficulty):
// a fit of the out-of-fold errors to how much the members disagree, how far the
// nearest training polymers are and how much their values differ. An interval of
// the kind "local" is CV+ (package ensemble) of values divided by it: narrow for
// what is well known, wide elsewhere.
package stack
