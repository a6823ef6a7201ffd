// Package plan computes quotient plans: which atoms and directed bonds of a
// polymer share a state at each layer of the network, so that each distinct
// state is computed once. See doc of Plan.
package plan

// Plan is the quotient of one polymer's graph for L message-passing layers.
type Plan struct{}
