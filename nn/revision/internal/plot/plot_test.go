package plot

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"testing"
)

func picture(t *testing.T, f Figure) image.Image {
	t.Helper()
	body, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.PNG()
	if err != nil || !bytes.Equal(body, again) {
		t.Errorf("drawn again it is another picture: %v", err)
	}
	img, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// colored counts the pixels of exactly one colour within a distance of a point.
func colored(img image.Image, c color.Color, x, y float64, within int) (n int) {
	r0, g0, b0, _ := c.RGBA()
	for px := int(x) - within; px <= int(x)+within; px++ {
		for py := int(y) - within; py <= int(y)+within; py++ {
			if r, g, b, _ := img.At(px, py).RGBA(); r == r0 && g == g0 && b == b0 {
				n++
			}
		}
	}
	return n
}

// Points are where the axes say, and nothing is drawn of what is no number.
func TestPoints(t *testing.T) {
	s := Series{X: []float64{0, 5, 10, math.NaN(), 3}, Y: []float64{10, 0, 10, 1, math.Inf(1)}, Color: Colors[0]}
	img := picture(t, Figure{Title: "x", Series: []Series{s}, Diagonal: true})
	a, b := newAxis([]float64{0, 10}, left, width-right), newAxis([]float64{0, 10}, height-bottom, top)
	for i := range 3 {
		if colored(img, Colors[0], a.at(s.X[i]), b.at(s.Y[i]), 4) < 10 {
			t.Errorf("there is no dot at (%v, %v)", s.X[i], s.Y[i])
		}
	}
	if colored(img, Colors[0], a.at(3), b.at(3), 40) != 0 {
		t.Error("there is a dot where there is no point")
	}
}

// A curve is interrupted where a value is missing.
func TestCurve(t *testing.T) {
	s := Series{Name: "fold 0", Curve: true, Color: Colors[2], X: []float64{0, 2, 3, 4, 6}, Y: []float64{0, 0, math.NaN(), 10, 10}}
	img := picture(t, Figure{Series: []Series{s}, Whole: true})
	a, b := newAxis(s.X, left, width-right), newAxis([]float64{0, 10}, height-bottom, top)
	if colored(img, Colors[2], a.at(1), b.at(0), 3) == 0 || colored(img, Colors[2], a.at(5), b.at(10), 3) == 0 {
		t.Error("the curve is not where its points are")
	}
	if colored(img, Colors[2], a.at(3), b.at(5), 30) != 0 {
		t.Error("the curve goes on over a missing value")
	}
}

func TestAxis(t *testing.T) {
	for _, x := range []struct {
		values []float64
		first  string
		n      int // ticks, at least
	}{
		{[]float64{0, 100}, "0", 4},
		{[]float64{-31, 92}, "-20", 4},
		{[]float64{0.901, 0.909}, "0.902", 4},
		{[]float64{1e6, 5e6}, "1000000", 4},
		{[]float64{7}, "6.4", 4},
		{nil, "0.0", 4},
		{[]float64{math.NaN()}, "0.0", 4},
	} {
		a := newAxis(x.values, 0, 100)
		var labels []string
		for v := range a.ticks {
			labels = append(labels, a.label(v))
		}
		if len(labels) < x.n || len(labels) > 12 || labels[0] != x.first {
			t.Errorf("%v: ticks %v", x.values, labels)
		}
		if u := slices.Compact(slices.Clone(labels)); len(u) != len(labels) {
			t.Errorf("%v: labels repeat: %v", x.values, labels)
		}
	}
}

// No data are drawn as empty axes.
func TestEmpty(t *testing.T) {
	picture(t, Figure{Title: "nothing", X: "x", Y: "y", Diagonal: true})
}
