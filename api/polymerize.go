package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/featurize/structure"
)

// PolymerizeCmd builds polymer chains from monomers.
type PolymerizeCmd struct {
	Mechanism    string    `required:"" placeholder:"NAME" help:"How monomers join: vinyl, acrylate, ester, amide, carbonate, imide, NIPU, urethane, all, vinyl_stereo, acrylate_stereo, ester_stereo or UPE."`
	DP           int       `name:"dp" required:"" placeholder:"N" help:"Monomers in a chain."`
	PM           *float64  `name:"pm" placeholder:"P" help:"Fraction of meso diads, from 0 to 1, for vinyl and ester; 1 in the stereo mechanisms."`
	Distribution []float64 `placeholder:"W,…" help:"Weights of the monomers, in their order (of the pairs in ester_stereo)."`
	Replicates   int       `default:"1" placeholder:"R" help:"Chains per line (${default})."`
	Seed         uint64    `default:"0" placeholder:"S" help:"The same seed gives the same chains (${default})."`
}

// Validate refuses flags that no line could be answered with.
func (c *PolymerizeCmd) Validate() error {
	if c.Mechanism == "" {
		return nil // the parser says so, once this has nothing to add
	}
	if c.Replicates < 1 {
		return fmt.Errorf("--replicates must be at least 1, not %d", c.Replicates)
	}
	if c.DP < 1 {
		return fmt.Errorf("--dp must be at least 1, not %d", c.DP)
	}
	// Whatever the monomers of the lines are, this is wrong with them.
	spec := c.spec([]string{"C=C"})
	spec.Distribution = nil
	var refused *polymer.Error
	if _, err := polymer.New(spec); errors.As(err, &refused) {
		switch refused.Code {
		case polymer.UnknownMechanism, polymer.InvalidPM:
			return refused
		}
	}
	return nil
}

func (c *PolymerizeCmd) spec(monomers []string) polymer.Spec {
	return polymer.Spec{
		Monomers:     monomers,
		Mechanism:    polymer.Mechanism(c.Mechanism),
		DP:           c.DP,
		Distribution: c.Distribution,
		PM:           c.PM,
		Seed:         c.Seed,
	}
}

// Run answers each line of standard input, monomers with dots between them,
// with one JSON object per chain.
func (c *PolymerizeCmd) Run(ctx context.Context, std *streams) error {
	return mapLines(ctx, std.in, std.out, func() lineFunc { return c.row })
}

// row appends
//
//	{"input","replicate","smiles_polymer"}
//
// for every replicate, with "error":{"code","detail","position"} in place of a
// chain that stopped. If there is no chain at all, the answer is one
// {"input","error"}.
func (c *PolymerizeCmd) row(dst, line []byte) []byte {
	input := appendQuoted([]byte(`{"input":`), string(line))
	monomers, offsets, err := polymer.ParseMonomers(string(line))
	if err != nil {
		return appendError(append(dst, input...), structure.Describe(err), nil)
	}
	p, err := polymer.New(c.spec(monomers))
	if err != nil {
		return appendError(append(dst, input...), structure.Describe(err), offsets)
	}
	start, failed := len(dst), 0
	for i := range c.Replicates {
		dst = append(dst, input...)
		dst = append(dst, `,"replicate":`...)
		dst = strconv.AppendInt(dst, int64(i), 10)
		m, stopped := p.Chain(i)
		if stopped != nil {
			dst = appendError(dst, structure.Grown(stopped), offsets)
			failed, err = failed+1, stopped
			continue
		}
		dst = append(dst, `,"smiles_polymer":`...)
		dst = appendQuoted(dst, smiles.Write(m))
		dst = append(dst, "}\n"...)
	}
	if failed == c.Replicates {
		return appendError(append(dst[:start], input...), structure.Grown(err), offsets)
	}
	return dst
}
