// Package nn states the network PolyID trains, global100, and the seam between
// it and the engines that run it: what an example is, what a step is, what
// state a checkpoint holds.
package nn
