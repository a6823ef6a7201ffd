// Package trees learns a number from a sparse row of features with decision
// trees: Boost fits gradient-boosted trees, Forest averages trees of bootstrap
// samples. Both cut every column into at most 255 bins once and find splits in
// histograms of the bins, as LightGBM does (Ke et al., NeurIPS 2017); values in a
// column's most frequent bin are not stored, so that a tree costs time in
// proportion to the stored values, not to rows × columns.
//
// A missing value (NaN) goes to the side of a split that fits better. A target may
// be a bound (">300"): it counts only while the prediction is on its wrong side.
// Everything is summed in the order of the rows, so equal input and seed give
// equal trees, bit for bit.
//
// The tests hold Boost to scikit-learn's HistGradientBoostingRegressor and Forest
// to its RandomForestRegressor, on the same rows and settings.
package trees
