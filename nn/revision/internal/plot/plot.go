// Package plot draws the two kinds of figure that a model card shows: points
// about a diagonal, and curves. The same data give the same picture.
package plot

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"
)

// Series is points, or a curve through them, of one colour.
type Series struct {
	Name  string // in the legend; "" is not in it
	X, Y  []float64
	Color color.Color
	Curve bool
}

// Figure is one picture.
type Figure struct {
	Title, X, Y string // X and Y name the axes
	Series      []Series
	Diagonal    bool // both axes have one range, and a line where they are equal
	Whole       bool // X counts: no ticks between two numbers
}

// Colors tell series apart, also for people who do not see all of them.
var Colors = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff},
}

var (
	black = color.RGBA{0x22, 0x22, 0x22, 0xff}
	grey  = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
)

// Size of a picture and of the frame in it, in pixels.
const (
	width, height = 640, 560
	left, right   = 84, 20
	top, bottom   = 44, 64
)

// axis maps values to pixels.
type axis struct {
	low, high float64
	from, to  float64 // pixels of low and high
	step      float64 // between ticks
	decimals  int     // of their labels
}

// PNG draws the figure. One without any finite point has empty axes.
func (f *Figure) PNG() ([]byte, error) {
	c, err := newCanvas(width, height)
	if err != nil {
		return nil, err
	}
	var xs, ys []float64
	for _, s := range f.Series {
		xs, ys = append(xs, s.X...), append(ys, s.Y...)
	}
	if f.Diagonal {
		xs = append(xs, ys...)
		ys = xs
	}
	x, y := newAxis(xs, left, width-right), newAxis(ys, height-bottom, top)
	if f.Whole {
		x.step, x.decimals = max(x.step, 1), 0
	}
	f.frame(c, x, y)
	if f.Diagonal {
		c.line(x.at(x.low), y.at(x.low), x.at(x.high), y.at(x.high), 1, black)
	}
	for _, s := range f.Series {
		s.draw(c, x, y)
	}
	f.legend(c)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, c.img); err != nil {
		return nil, fmt.Errorf("draw %s: %w", f.Title, err)
	}
	return b.Bytes(), nil
}

func (f *Figure) frame(c *canvas, x, y axis) {
	for v := range x.ticks {
		c.line(x.at(v), top, x.at(v), height-bottom, 1, grey)
		c.text(x.label(v), x.at(v), height-bottom+20, 0.5, black)
	}
	for v := range y.ticks {
		c.line(left, y.at(v), width-right, y.at(v), 1, grey)
		c.text(y.label(v), left-8, y.at(v)+5, 1, black)
	}
	c.line(left, height-bottom, width-right, height-bottom, 1.5, black)
	c.line(left, top, left, height-bottom, 1.5, black)
	c.text(f.Title, width/2, 26, 0.5, black)
	c.text(f.X, (left+width-right)/2, height-18, 0.5, black)
	c.text(f.Y, 10, top-14, 0, black)
}

// draw draws a series; points that are no numbers interrupt a curve.
func (s *Series) draw(c *canvas, x, y axis) {
	last := -1
	for i := range s.X {
		if !finite(s.X[i]) || !finite(s.Y[i]) {
			last = -1
			continue
		}
		px, py := x.at(s.X[i]), y.at(s.Y[i])
		switch {
		case !s.Curve:
			c.dot(px, py, 3.2, s.Color)
		case last >= 0:
			c.line(x.at(s.X[last]), y.at(s.Y[last]), px, py, 1.6, s.Color)
		}
		last = i
	}
}

// legend names the series where points about a diagonal, or falling curves, are
// few.
func (f *Figure) legend(c *canvas) {
	x, at := float64(left+16), float64(top+16)
	if !f.Diagonal {
		x = width - right - 90
	}
	for _, s := range f.Series {
		if s.Name == "" {
			continue
		}
		c.dot(x, at-4, 4.5, s.Color)
		c.text(s.Name, x+12, at, 0, black)
		at += 18
	}
}

// newAxis covers values with some room, from pixel from to pixel to.
func newAxis(values []float64, from, to float64) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 0, 1
	}
	room := (high - low) * 0.04
	if room == 0 {
		room = math.Max(math.Abs(high)*0.1, 1e-9)
	}
	a := axis{low: low - room, high: high + room, from: from, to: to}
	// The step is 1, 2 or 5 times a power of ten: four to eight ticks.
	rough := (a.high - a.low) / 8
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 5, 10} {
		if a.step = m * power; a.step >= rough {
			break
		}
	}
	a.decimals = max(0, -int(math.Floor(math.Log10(a.step)+1e-9)))
	return a
}

func (a axis) at(v float64) float64 { return a.from + (v-a.low)/(a.high-a.low)*(a.to-a.from) }

// ticks yields the values to mark.
func (a axis) ticks(yield func(float64) bool) {
	for n := math.Ceil(a.low / a.step); n*a.step <= a.high; n++ {
		if !yield(n * a.step) {
			return
		}
	}
}

func (a axis) label(v float64) string {
	if v == 0 {
		v = 0 // not -0
	}
	return fmt.Sprintf("%.*f", a.decimals, v)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
