package data

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// smilesText is a SMILES and the way it is meant.
type smilesText struct {
	notation Notation
	text     string
}

// checkStructures asks Options.Check about every distinct SMILES that a polymer
// would be built from, and reports refusals at every row that has them.
func (p *parser) checkStructures(ctx context.Context) error {
	if p.options.Check == nil {
		return ctx.Err()
	}
	index := make(map[smilesText]int)
	var texts []smilesText
	eachText := func(s *Structure, f func(t smilesText, nth int)) {
		switch n := s.Notation(); n {
		case Polymer:
			f(smilesText{n, s.Polymer}, 0)
		case RepeatUnit:
			f(smilesText{n, s.RepeatUnit}, 0)
		case Monomers:
			for i, m := range s.Monomers {
				f(smilesText{n, m}, i+1)
			}
		}
	}
	for i := range p.table.Structures {
		eachText(&p.table.Structures[i], func(t smilesText, _ int) {
			if _, ok := index[t]; !ok {
				index[t] = len(texts)
				texts = append(texts, t)
			}
		})
	}
	errs, err := checkAll(ctx, texts, p.options.Check)
	if err != nil {
		return err
	}
	for row := range p.table.Structures {
		eachText(&p.table.Structures[row], func(t smilesText, nth int) {
			if err := errs[index[t]]; err != nil {
				p.refuse(row, t, nth, err)
			}
		})
	}
	return nil
}

// refuse reports a SMILES at its row and position.
func (p *parser) refuse(row int, t smilesText, nth int, err error) {
	o := p.table.Origin[row]
	d := Defect{Row: o.Row, Code: BadSMILES, Reason: err.Error()}
	if nth > 0 {
		d.Reason = fmt.Sprintf("monomer %d: %s", nth, d.Reason)
	}
	var at interface{ Position() int }
	if errors.As(err, &at) {
		d.Position = at.Position()
	}
	l := p.source[o.Source]
	column := map[Notation]role{Polymer: rolePolymer, RepeatUnit: roleRepeatUnit, Monomers: roleMonomers}[t.notation]
	d.Column = l.sheet.Header[l.role[column]]
	p.rowDefect(row, o.Source, d)
}

// checkAll runs check over texts on all cores and gives each one's error.
func checkAll(ctx context.Context, texts []smilesText, check func(Notation, string) error) ([]error, error) {
	errs := make([]error, len(texts))
	err := each(ctx, len(texts), func(i int) { errs[i] = check(texts[i].notation, texts[i].text) })
	return errs, err
}

// each calls f with 0 to n-1 on all cores.
func each(ctx context.Context, n int, f func(i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// identify names the polymers of repeat units.
func (p *parser) identify(ctx context.Context) error {
	if p.options.Identify == nil {
		return nil
	}
	index := make(map[string]int)
	var units []string
	for i := range p.table.Structures {
		s := &p.table.Structures[i]
		if _, ok := index[s.RepeatUnit]; !ok && s.Notation() == RepeatUnit {
			index[s.RepeatUnit] = len(units)
			units = append(units, s.RepeatUnit)
		}
	}
	names := make([]string, len(units))
	if err := each(ctx, len(units), func(i int) { names[i] = p.options.Identify(units[i]) }); err != nil {
		return err
	}
	for i := range p.table.Structures {
		if s := &p.table.Structures[i]; s.Notation() == RepeatUnit {
			s.Identity = names[index[s.RepeatUnit]]
		}
	}
	return nil
}
