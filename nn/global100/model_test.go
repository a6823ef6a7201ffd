package global100_test

import (
	"fmt"
	"slices"
	"testing"

	"polyid-trainer/nn/global100"
)

// recorder notes which operators run.
type recorder []string

func (r *recorder) Embed()              { *r = append(*r, "embed") }
func (r *recorder) Block(j int)         { *r = append(*r, fmt.Sprint("block ", j)) }
func (r *recorder) Heads()              { *r = append(*r, "heads") }
func (r *recorder) EmbedBackward()      { *r = append(*r, "embed backward") }
func (r *recorder) BlockBackward(j int) { *r = append(*r, fmt.Sprint("block backward ", j)) }
func (r *recorder) HeadsBackward()      { *r = append(*r, "heads backward") }

func TestOrder(t *testing.T) {
	t.Parallel()
	var ran recorder
	m, err := global100.New(3, &ran)
	if err != nil {
		t.Fatal(err)
	}
	forward := []string{"embed", "block 0", "block 1", "block 2", "heads"}
	backward := []string{"heads backward", "block backward 2", "block backward 1", "block backward 0", "embed backward"}
	for range 3 { // a machine can run again
		ran = nil
		if err := m.Forward(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ran, forward) {
			t.Fatalf("forward ran %v", ran)
		}
		ran = nil
		if err := m.Step(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ran, slices.Concat(forward, backward)) {
			t.Fatalf("step ran %v", ran)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// What the machine costs beside the operators.
func BenchmarkStep(b *testing.B) {
	m, err := global100.New(12, new(idle))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Step(); err != nil {
			b.Fatal(err)
		}
	}
}

type idle struct{}

func (*idle) Embed()            {}
func (*idle) Block(int)         {}
func (*idle) Heads()            {}
func (*idle) EmbedBackward()    {}
func (*idle) BlockBackward(int) {}
func (*idle) HeadsBackward()    {}
