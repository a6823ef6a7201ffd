package cuda

import (
	"fmt"

	"polyid-trainer/nn"
	"polyid-trainer/nn/global100"
)

// program is a step on one plan, as the device runs it. It names memory only
// relative to a fold's own, so that all folds of one network share it.
type program struct {
	ops     []op
	phases  []phase
	owners  []int32 // operations of all tiles; they follow the phases in memory
	forward int     // phases of a prediction, the first ones
	states  int     // words of a fold's states that a run needs
}

// assemble writes the program of a network on a plan: it runs the network's
// graph once, with operators that note what the device is to do.
func assemble(c nn.Config, s nn.Sizes, p *planImage) (*program, error) {
	a := &assembler{config: c, sizes: s, plan: p, net: newWeightRefs(c, s)}
	a.carve()
	model, err := global100.New(c.NumMessages, a)
	if err != nil {
		return nil, fmt.Errorf("assemble: %w", err)
	}
	if err := model.Step(); err != nil {
		return nil, fmt.Errorf("assemble: %w", err)
	}
	if err := model.Close(); err != nil {
		return nil, fmt.Errorf("assemble: %w", err)
	}
	if a.words > spaceWords {
		return nil, fmt.Errorf("assemble: the states of a polymer of %d atoms take %d MiB, more than the %d that a program can name",
			p.atoms, a.words>>18, spaceWords>>18)
	}
	a.program.states = a.words
	for i := range a.program.phases {
		a.program.phases[i].Owner += int32(phaseWords * len(a.program.phases))
	}
	return &a.program, nil
}

// assembler is the network's operators as lists of the device's.
type assembler struct {
	config nn.Config
	sizes  nn.Sizes
	plan   *planImage
	net    *weightRefs

	program program
	words   int
	updates []op // of all weights; the last phase

	// States, [rows, columns] row-major. Those of gradients are kept for all
	// blocks, because weights are updated when all gradients are known.
	atom, bond     []ref // [classes, F] by layer
	dAtom, dBond   []ref
	mol, dMol      []ref // [M] after the initial pooling, then after each block's; dMol by block
	init           attention
	round          []round
	mask           ref // [targets, last bond classes, F]
	headMean, dOut ref // [targets, F], [targets]

	projBond, projSrc, projDst, projMsg ref // [classes before, 2F]
}

// attention is what a pooling leaves behind.
type attention struct {
	p, dLogit   ref // [atoms + bonds]
	mean, dMean ref // [F]
}

// round is the hidden states of one block, and their gradients. All but the
// first three lines are empty in the last.
type round struct {
	attention                     attention
	edge, dEdge                   ref // [bonds after, 2F]
	dProjBond, dProjSrc, dProjDst ref // [classes before, 2F]
	edgeBias, dEdgeBias           ref // [2F]: what the molecule's state adds
	message, dMessage             ref // [bonds after, 2F]
	dProjMsg                      ref // [atoms before, 2F]
	messageBias, dMessageBias     ref // [2F]
	sum, dSum                     ref // [atoms after, 2F]
	gathered, dGathered           ref // [atoms after, F]
	node, dNode                   ref // [atoms after, 2F]
}

// carve lays out the states.
func (a *assembler) carve() {
	f, h, m, t := a.config.AtomFeatures, 2*a.config.AtomFeatures, a.config.MolFeatures, a.sizes.Targets
	take := func(rows, cols int) ref {
		const align = 32 // words: a cache line
		at := a.words
		a.words += (rows*cols + align - 1) / align * align
		return stateRef(at)
	}
	attend := func(classes int) attention {
		return attention{take(1, classes), take(1, classes), take(1, f), take(1, f)}
	}
	last := a.config.NumMessages
	maxA, maxB := 0, 0
	for j := range last + 1 {
		nA, nB := a.plan.layer[j].atoms, a.plan.layer[j].bonds
		if j < last {
			a.atom, a.dAtom = append(a.atom, take(nA, f)), append(a.dAtom, take(nA, f))
		}
		a.bond, a.dBond = append(a.bond, take(nB, f)), append(a.dBond, take(nB, f))
		a.mol, a.dMol = append(a.mol, take(1, m)), append(a.dMol, take(1, m))
		maxA, maxB = max(maxA, nA), max(maxB, nB)
	}
	a.init = attend(a.plan.layer[0].rows())
	a.round = make([]round, last)
	for j := range a.round {
		r := &a.round[j]
		before, after := a.plan.layer[j], a.plan.layer[j+1]
		r.attention = attend(before.rows())
		r.edge, r.dEdge = take(after.bonds, h), take(after.bonds, h)
		r.dProjBond, r.dProjSrc, r.dProjDst = take(before.bonds, h), take(before.atoms, h), take(before.atoms, h)
		r.edgeBias, r.dEdgeBias = take(1, h), take(1, h)
		if j == last-1 {
			break
		}
		r.message, r.dMessage = take(after.bonds, h), take(after.bonds, h)
		r.dProjMsg = take(before.atoms, h)
		r.messageBias, r.dMessageBias = take(1, h), take(1, h)
		r.sum, r.dSum = take(after.atoms, h), take(after.atoms, h)
		r.gathered, r.dGathered = take(after.atoms, f), take(after.atoms, f)
		r.node, r.dNode = take(after.atoms, h), take(after.atoms, h)
	}
	a.mask = take(t*a.plan.layer[last].bonds, f)
	a.headMean, a.dOut = take(t, f), take(1, t)
	a.projBond, a.projSrc, a.projDst, a.projMsg = take(maxB, h), take(maxA, h), take(maxA, h), take(maxA, h)
}

// phase appends one.
func (a *assembler) phase(ops ...op) {
	p := phase{Op: int32(len(a.program.ops)), Owner: int32(len(a.program.owners))}
	for _, o := range ops {
		if o.tiles(); o.Tiles == 0 {
			continue
		}
		o.First = p.Tiles
		p.Tiles += o.Tiles
		p.Ops++
		for range o.Tiles {
			a.program.owners = append(a.program.owners, int32(len(a.program.ops)))
		}
		a.program.ops = append(a.program.ops, o)
	}
	if p.Ops > 0 {
		a.program.phases = append(a.program.phases, p)
	}
}
