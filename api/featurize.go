package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
)

// FeaturizeCmd shows what the network sees of each SMILES.
type FeaturizeCmd struct {
	Atom   string `default:"atom_features_v1" placeholder:"NAME" help:"Atom feature function, by its PolyID name (${default})."`
	Bond   string `default:"bond_features_v1" placeholder:"NAME" help:"Bond feature function, by its PolyID name (${default})."`
	Morgan bool   `help:"Add the Morgan counts of the molecule, without added hydrogens."`
}

// Validate refuses feature functions that do not exist.
func (c *FeaturizeCmd) Validate() error {
	return featurize.Config{Atom: c.Atom, Bond: c.Bond}.Validate()
}

// Run answers each line of standard input with one JSON object.
func (c *FeaturizeCmd) Run(ctx context.Context, std *streams) error {
	f, err := featurize.New(featurize.Config{Atom: c.Atom, Bond: c.Bond})
	if err != nil {
		return err
	}
	return mapLines(ctx, std.in, std.out, func() lineFunc {
		w := rowWriter{f: f, morgan: c.Morgan, stderr: std.err}
		return w.row
	})
}

// rowWriter writes rows of featurize by hand: encoding/json would spend most of
// the time on strings that repeat endlessly.
type rowWriter struct {
	f            *featurize.Featurizer
	morgan       bool
	atoms, bonds quoted
	stderr       io.Writer
}

// row appends
//
//	{"smiles","n_atoms","atoms":[…],"bonds":[…],"connectivity":[[src,dst]…],"morgan":{"hash":count}}
//
// or {"smiles","error":{"code","detail","position"}}, and a newline. A defect
// of the program costs the line it shows in, not the others: it is reported
// with its stack.
func (w *rowWriter) row(dst, line []byte) (out []byte) {
	text := string(line)
	dst = append(dst, `{"smiles":`...)
	dst = appendQuoted(dst, text)
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(w.stderr, "api: a defect of the program, at %.200q: %v\n%s", text, p, debug.Stack())
			out = appendError(dst, &structure.Error{Code: "internal", Detail: fmt.Sprint("a defect of the program: ", p), Monomer: -1}, nil)
		}
	}()
	m, err := w.f.Read(text)
	if err != nil {
		return appendError(dst, structure.Describe(err), nil)
	}
	var morgan map[uint32]int
	if w.morgan {
		morgan = featurize.Morgan(m)
	}
	return w.graph(dst, w.f.GraphOf(m), morgan)
}

// graph appends the members after "smiles", and a newline.
func (w *rowWriter) graph(dst []byte, g *featurize.Graph, morgan map[uint32]int) []byte {
	dst = append(dst, `,"n_atoms":`...)
	dst = strconv.AppendInt(dst, int64(len(g.Atom)), 10)
	dst = append(dst, `,"atoms":[`...)
	dst = w.atoms.append(dst, &w.f.Lexicons.Atom, g.Atom)
	dst = append(dst, `],"bonds":[`...)
	dst = w.bonds.append(dst, &w.f.Lexicons.Bond, g.Bond)
	dst = append(dst, `],"connectivity":[`...)
	for e := range g.Src {
		if e > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(g.Src[e]), 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, int64(g.Dst[e]), 10)
		dst = append(dst, ']')
	}
	dst = append(dst, ']')
	if w.morgan {
		dst = append(dst, `,"morgan":`...)
		dst = appendMorgan(dst, morgan)
	}
	return append(dst, '}', '\n')
}

func appendMorgan(dst []byte, counts map[uint32]int) []byte {
	dst = append(dst, '{')
	for i, h := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = strconv.AppendUint(dst, uint64(h), 10)
		dst = append(dst, '"', ':')
		dst = strconv.AppendInt(dst, int64(counts[h]), 10)
	}
	return append(dst, '}')
}

// quoted keeps the JSON form of a Lexicon's words, by id.
type quoted [][]byte

// append appends the words of ids, separated by commas.
func (q *quoted) append(dst []byte, l *featurize.Lexicon, ids []int32) []byte {
	for i, id := range ids {
		if int(id) >= len(*q) {
			for _, w := range l.Words()[len(*q):] {
				*q = append(*q, appendQuoted(nil, w))
			}
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, (*q)[id]...)
	}
	return dst
}
