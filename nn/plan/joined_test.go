package plan_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/plan"
)

// Each polymer's part of a joined plan, its class numbers counted from where
// it begins, is its own plan.
func TestJoinedIsEachPlan(t *testing.T) {
	t.Parallel()
	var b plan.Builder
	var plans []*plan.Plan
	for _, p := range enginetest.ReadShipped(t).Distinct[:9] {
		plans = append(plans, b.Build(p.Graph(), 4))
	}
	var j plan.Joined
	for _, part := range [][]*plan.Plan{plans, plans[2:5], plans[:1]} { // memory of a larger one is reused
		j.Reset(4)
		for _, p := range part {
			j.Add(p)
		}
		if j.Polymers() != len(part) {
			t.Fatalf("%d polymers of %d", j.Polymers(), len(part))
		}
		for i, p := range part {
			if got := cut(&j, i); fmt.Sprint(got) != fmt.Sprint(content(p)) {
				t.Errorf("polymer %d of %d is joined as\n%v\nnot\n%v", i, len(part), got, content(p))
			}
		}
	}
}

// content is p's arrays, in one order.
func content(p *plan.Plan) []any {
	out := []any{p.AtomID, p.BondID, p.AtomCount, p.BondCount}
	for t := range p.Blocks {
		k := &p.Blocks[t]
		out = append(out, k.Bond, k.Src, k.Dst, k.BondCount, k.Atom, k.AtomCount, k.Degree,
			lists(&k.Messages, 0, len(k.Atom), 0), lists(&k.Readers, 0, len(k.Bond), 0))
	}
	return out
}

// cut is the content of polymer i's part of j.
func cut(j *plan.Joined, i int) []any {
	at := func(begins [][]int, t int) (from, to int) { return begins[t][i], begins[t][i+1] }
	a0, a1 := at(j.AtomAt, 0)
	b0, b1 := at(j.BondAt, 0)
	out := []any{j.AtomID[a0:a1], j.BondID[b0:b1], j.AtomCount[a0:a1], j.BondCount[b0:b1]}
	for t := range j.Blocks {
		k := &j.Blocks[t]
		na0, na1 := at(j.AtomAt, t+1)
		nb0, nb1 := at(j.BondAt, t+1)
		for _, of := range j.Of[t][nb0:nb1] {
			if of != int32(i) {
				return []any{fmt.Sprintf("a bond class of polymer %d is said to be of %d", i, of)}
			}
		}
		out = append(out, lowered(k.Bond[nb0:nb1], b0), lowered(k.Src[nb0:nb1], a0), lowered(k.Dst[nb0:nb1], a0),
			k.BondCount[nb0:nb1], lowered(k.Atom[na0:na1], a0), k.AtomCount[na0:na1], k.Degree[na0:na1],
			lists(&k.Messages, na0, na1, nb0), lists(&k.Readers, nb0, nb1, na0))
		a0, b0 = na0, nb0
	}
	return out
}

func lowered(v []int32, by int) []int32 {
	out := slices.Clone(v)
	for i := range out {
		out[i] -= int32(by)
	}
	return out
}

// lists is the lists from to to−1 of l, each as its rows, lowered, and weights.
func lists(l *plan.Lists, from, to, by int) (out []any) {
	if len(l.Off) == 0 {
		return nil
	}
	for r := from; r < to; r++ {
		lo, hi := l.Off[r], l.Off[r+1]
		out = append(out, lowered(l.Row[lo:hi], by), l.Weight[lo:hi])
	}
	return out
}

// A plan is equal to itself built anew, and to another polymer's only where the
// network cannot tell the two apart; each field counts.
func TestEqual(t *testing.T) {
	t.Parallel()
	var b plan.Builder
	distinct := enginetest.ReadShipped(t).Distinct
	var plans []*plan.Plan
	var text []string
	for _, p := range distinct {
		plans = append(plans, b.Build(p.Graph(), 4))
		text = append(text, fmt.Sprint(content(plans[len(plans)-1])))
	}
	for i, p := range distinct {
		again := b.Build(p.Graph(), 4)
		for j, q := range plans {
			if again.Equal(q) != (text[i] == text[j]) {
				t.Errorf("polymers %d and %d: their plans are equal: %v", i, j, text[i] == text[j])
			}
		}
	}
	want := b.Build(distinct[0].Graph(), 4)
	spoil := func(what string, change func(*plan.Plan)) {
		got := b.Build(distinct[0].Graph(), 4)
		change(got)
		if got.Equal(want) || want.Equal(got) {
			t.Errorf("%s does not count", what)
		}
	}
	spoil("AtomID", func(p *plan.Plan) { p.AtomID[0]++ })
	spoil("BondID", func(p *plan.Plan) { p.BondID[0]++ })
	spoil("AtomCount", func(p *plan.Plan) { p.AtomCount[0]++ })
	spoil("BondCount", func(p *plan.Plan) { p.BondCount[0]++ })
	block := reflect.TypeFor[plan.Block]()
	for f := range block.NumField() {
		field := block.Field(f)
		if field.Type.Kind() != reflect.Slice {
			continue
		}
		spoil(field.Name, func(p *plan.Plan) {
			v := reflect.ValueOf(&p.Blocks[1]).Elem().Field(f).Index(0)
			if v.CanInt() {
				v.SetInt(v.Int() + 1)
			} else {
				v.SetFloat(v.Float() + 1)
			}
		})
	}
	spoil("a message", func(p *plan.Plan) { p.Blocks[1].Messages.Row[0]++ })
	spoil("a message's weight", func(p *plan.Plan) { p.Blocks[1].Messages.Weight[0]++ })
}
