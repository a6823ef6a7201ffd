// Package ensemble predicts with the k models of a cross-validation at once and
// says how far its answer may be off.
//
// A polymer is featurized and planned once; each fold's model then runs on the
// same plan with its own tokens, and its answer is given its units back by its
// own scaler. The mean over folds is the prediction, their standard deviation
// (divisor k−1, as PolyID's aggregate has it) a measure of their disagreement.
//
// # Intervals
//
// A 90 % interval comes from the out-of-fold residuals by CV+ (Barber, Candès,
// Ramdas, Tibshirani 2021, "Predictive inference with the jackknife+"). For a
// row i that fold k(i) did not see, let rᵢ be |measured − predicted by k(i)|.
// For a new polymer x with fold predictions μₖ(x), the interval's upper end is
// the 90 % quantile of μ_k(i)(x) + rᵢ over the rows, its lower end that of
// μ_k(i)(x) − rᵢ from below, with the finite-sample correction that counts the
// new polymer as one more with an infinite residual.
//
// It was chosen over the alternatives because it spends no rows on calibration
// alone, which tables of a hundred polymers cannot spare; because it needs
// residuals of models that really did not see the row, which cross-validation
// has; and because folds that disagree about x widen it, without the noise of
// dividing by a spread of five values.
//
// Rows of one polymer are not independent measurements of the method's error,
// so each group of rows weighs as one, divided among its rows (Lee, Barber,
// Willett 2023, "Distribution-free inference with hierarchical data").
//
// # What it does not guarantee
//
// For polymers drawn like the table's groups, coverage is at least 80 % by
// theorem and close to 90 % in practice: 90.8 % in a simulation (TestCoverage);
// on PolyID's table, a fifth of the polymers held out five times, 95 % of 160 Tg
// and 90 % of 96 Tm values (TestCoverageOnTheShippedTable). Below 9 groups there is no finite interval at 90 %, and
// none is given. With some tens of groups the coverage of one calibration
// itself varies by several points. And it speaks of polymers like those of the
// table: a split by polymer leaves the network graphs it has trained on (v1
// features do not see tacticity), so its residuals, and intervals, are too small
// for a new chemistry; a split by graph is the honest one there.
package ensemble
