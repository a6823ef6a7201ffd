package cuda

import "polyid-trainer/nn"

// weightRefs is where each of the network's tensors lies in nn.Layout's order,
// which is the device's too: a state is copied as it is.
type weightRefs struct {
	bond, atom ref // [classes, F]
	init       poolRefs
	block      []blockRefs
	head       ref // [F+1] by head: kernel, bias
}

type poolRefs struct {
	query, queryBias ref // [F], [1]
	value, valueBias ref // [F, M], [M]
}

// blockRefs is an nn.Block. A bias follows its kernel.
type blockRefs struct {
	pool             poolRefs
	edge1            ref // [3F+M, 2F], bias
	edge2, edge2Bias ref // [2F, F]
	msg1             ref // [2F+M, 2F], bias
	msg2, msg2Bias   ref // [2F, F]
	node1, node1Bias ref // [F, 2F]
	node2, node2Bias ref // [2F, F]
}

// newWeightRefs reads the places off a network whose every element is its own
// index.
func newWeightRefs(c nn.Config, s nn.Sizes) *weightRefs {
	slab := make([]float64, nn.NumParams(c, s))
	for i := range slab {
		slab[i] = float64(i)
	}
	net := nn.View(c, s, slab)
	at := func(v []float64) ref {
		if len(v) == 0 { // of the last block
			return 0
		}
		return weightRef(int(v[0]))
	}
	pool := func(p nn.Pool[float64]) poolRefs {
		return poolRefs{at(p.Query.Kernel), at(p.Query.Bias), at(p.Value.Kernel), at(p.Value.Bias)}
	}
	w := &weightRefs{bond: at(net.Bond), atom: at(net.Atom), init: pool(net.Init), head: at(net.Head[0].Kernel)}
	for i := range net.Block {
		b := &net.Block[i]
		w.block = append(w.block, blockRefs{
			pool:  pool(b.Pool),
			edge1: at(b.Edge1.Kernel),
			edge2: at(b.Edge2.Kernel), edge2Bias: at(b.Edge2.Bias),
			msg1: at(b.Msg1.Kernel),
			msg2: at(b.Msg2.Kernel), msg2Bias: at(b.Msg2.Bias),
			node1: at(b.Node1.Kernel), node1Bias: at(b.Node1.Bias),
			node2: at(b.Node2.Kernel), node2Bias: at(b.Node2.Bias),
		})
	}
	return w
}
