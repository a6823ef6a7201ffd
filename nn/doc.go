// Package nn states the network PolyID trains, global100, and the seam between
// it and the engines that run it: what an example is, what a step is, what
// state a checkpoint holds.
//
// # The network
//
// An atom's state A and a directed bond's state B are rows of F features, the
// molecule's state g is M features. With src and dst the atoms of each bond:
//
//	A, B = embeddings of the tokens
//	pool = softmax(X·wq + bq) over X = [A; B], as weights of X·Wv + bv
//	g    = pool of the embeddings
//	each of L blocks, with weights of its own:
//	    g += pool
//	    B += Edge2(relu(Edge1[B, A[src], A[dst], g]))
//	    A += Node2(relu(Node1(Σ of Msg2(relu(Msg1[A[dst], B, g])) over the bonds that leave it)))
//	each target: mean over bonds of Head(dropout(B))
//
// The last block updates no atoms. The loss is the mean absolute error over the
// measured targets of a batch; Adam decays weights decoupled from the gradient.
// Tensors have PolyID's names (see Layout), so that its weights can be read and
// ours be written for it.
//
// # How it is run
//
// The network is stated three times, independently, and the statements agree:
// as a Gorgonia graph of fused operators whose arithmetic is an engine's
// (nn/global100, nn/cpu), in Gorgonia's native operators (nn/global100's
// tests), and in textbook loops (nn/enginetest). The engine computes the same
// numbers with fewer operations:
//
//   - One row per class of atoms or bonds that cannot differ (nn/plan): 4.1 times
//     fewer rows on PolyID's polyesters.
//   - A Dense over a concatenation is a sum of projections, one per source, each
//     of its source's rows before they are gathered.
//   - A Dense without activation is applied after the sum it feeds: Msg2 to sums
//     of messages, the pooling's value to one weighted mean.
//   - Dropout draws Binomial(k, 1−p)/k once for a class of k bonds.
//   - The polymers of a batch share each matrix product, with the rows of all, in
//     a step as in a prediction. A weight gets one gradient and one update a
//     batch. Predictions stay what each polymer has alone, to the bit.
//   - Rows of one graph differ in their targets and in dropout, which comes after
//     the last block: a batch computes everything before once for all of them.
//
// What Gorgonia's machine costs beside the operators: 0.03 ms of CPU time a step, 199
// allocations of 5 kB in all; the operators, Adam and the path of the data
// allocate nothing. go.mod requires a newer go4.org/unsafe/assume-no-moving-gc
// than Gorgonia asks for, because the older one panics on this Go.
//
// Accuracy, by the tests of nn/cpu and nn/enginetest:
//
//	engine's code in float64, all shipped polymers, against the textbook form   gradients 2e-13
//	float32, small network, against TensorFlow in float64                       gradients 6e-7, weights after ten steps 1.2e-7
//	float32, full network, against TensorFlow in float32                        gradients 4e-4, as much as TensorFlow's own rounding
//	a batch of 7 and of 32 against the sum over its rows                        gradients 3e-6 in float32, within 1e-12 in float64
//
// Speed, the default network on the shipped table, two folds side by side on two
// cores of a Xeon at 2.5 GHz with AVX-512 that others used too, scheduled ahead of
// them; means of two rounds, each of which measured both batches:
//
//	batch 1     21.1 ms a polymer and fold
//	batch 32     8.0 ms, with some 16 distinct graphs a batch: 2.6 times as many
//	             polymers a second; the products take 46 % of what fused
//	             multiply-adds on registers do on both cores
//
// Where no two rows of a batch have one graph, a polymer takes 13 to 14 ms at batch
// 32. Two thirds of that is the products, at four fifths of their rate on data in
// cache; what is left is gathers and sums of rows, dropout, Adam and transposes.
//
// Repeat the speed figures with
//
//	go test ./nn/cpu -run '^$' -bench . -benchtime 500x
package nn
