package search

import (
	"math"
	"math/rand/v2"
)

// Random is the point of trial number index, drawn from the whole space. Equal
// arguments give equal points, whatever was drawn before.
func Random(s Space, seed uint64, index int) Point {
	rng := generator(seed, index)
	at := make(Point, len(s))
	for i := range s {
		at[i] = s[i].draw(rng)
	}
	return at
}

// generator is the source of chance of one trial.
func generator(seed uint64, index int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x7365617263680000+uint64(index)))
}

// draw draws a coordinate.
func (p *Parameter) draw(rng *rand.Rand) float64 {
	if p.Kind == Choice {
		return float64(rng.IntN(len(p.Choices)))
	}
	low, high := p.inner()
	return p.outer(low + rng.Float64()*(high-low))
}

// inner are the bounds of the scale on which values are spread evenly: that of
// logarithms for Log; for Int each number is a unit wide.
func (p *Parameter) inner() (low, high float64) {
	switch p.Kind {
	case Log:
		return math.Log(p.Low), math.Log(p.High)
	case Int:
		return p.Low - 0.5, p.High + 0.5
	}
	return p.Low, p.High
}

// outer takes a value of that scale back, within the bounds.
func (p *Parameter) outer(x float64) float64 {
	switch p.Kind {
	case Log:
		x = math.Exp(x)
	case Int:
		x = math.Floor(x + 0.5)
	}
	return min(max(x, p.Low), p.High)
}

// onScale takes a value to that scale.
func (p *Parameter) onScale(x float64) float64 {
	if p.Kind == Log {
		return math.Log(x)
	}
	return x
}
