package featurize_test

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
)

// goldenFeatures names the files with one molecule a line.
var goldenFeatures = []string{"edge", "polyid", "rdkit_wheel"}

func once[T any](v T) iter.Seq[T] {
	return func(yield func(T) bool) { yield(v) }
}

// Feature strings, edges and the tokens of a tokenizer fitted on the molecule
// alone must be nfp's; what RDKit refuses must be refused.
func TestGraphGolden(t *testing.T) {
	t.Parallel()
	for _, name := range goldenFeatures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readGolden(t, name, func(want golden) { checkGraph(t, want) })
		})
	}
}

func checkGraph(t *testing.T, want golden) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := f.Graph(want.SMILES)
	if err != nil || !want.OK {
		checkRefusal(t, want, err)
		return
	}

	if len(g.Atom) != len(want.A1.Index) || len(g.Bond) != len(want.Conn) {
		t.Errorf("%s: %d atoms and %d directed bonds, want %d and %d",
			want.SMILES, len(g.Atom), len(g.Bond), len(want.A1.Index), len(want.Conn))
		return
	}
	for i, id := range g.Atom {
		if got := f.Atom.Word(id); got != want.A1.at(i) {
			t.Errorf("%s: atom %d is %s, want %s", want.SMILES, i, got, want.A1.at(i))
		}
	}
	for e, id := range g.Bond {
		if got := f.Bond.Word(id); got != want.B1.at(int(want.EB[e])) {
			t.Errorf("%s: edge %d is %s, want %s", want.SMILES, e, got, want.B1.at(int(want.EB[e])))
		}
		if edge := [2]int32{g.Src[e], g.Dst[e]}; edge != want.Conn[e] {
			t.Errorf("%s: edge %d is %v, want %v", want.SMILES, e, edge, want.Conn[e])
		}
		r := g.Rev[e]
		if want.EB[r] != want.EB[e] || g.Src[r] != g.Dst[e] || g.Dst[r] != g.Src[e] {
			t.Errorf("%s: the reverse of edge %d is not %d", want.SMILES, e, r)
		}
	}

	vocab, err := f.Fit(once(g))
	if err != nil {
		t.Fatal(err)
	}
	binding := f.Bind(vocab)
	atoms, unknown := binding.Atom.Tokens(nil, g.Atom)
	if tokens := firstSeen(slices.Values(want.A1.Index)); !slices.Equal(atoms, tokens) || unknown != 0 {
		t.Errorf("%s: atom tokens %v (%d unknown), want %v", want.SMILES, atoms, unknown, tokens)
	}
	bonds, unknown := binding.Bond.Tokens(nil, g.Bond)
	tokens := firstSeen(func(yield func(int) bool) {
		for _, b := range want.EB {
			if !yield(want.B1.Index[b]) {
				return
			}
		}
	})
	if !slices.Equal(bonds, tokens) || unknown != 0 {
		t.Errorf("%s: bond tokens %v (%d unknown), want %v", want.SMILES, bonds, unknown, tokens)
	}
}

// firstSeen numbers values from featurize.FirstWord in first-seen order.
func firstSeen(values iter.Seq[int]) []int32 {
	var tokens []int32
	seen := map[int]int32{}
	for v := range values {
		token, ok := seen[v]
		if !ok {
			token = int32(len(seen)) + featurize.FirstWord
			seen[v] = token
		}
		tokens = append(tokens, token)
	}
	return tokens
}

// checkRefusal holds an error to RDKit's: a syntax error or not, and where.
func checkRefusal(t *testing.T, want golden, err error) {
	var syntax *smiles.SyntaxError
	switch parse := errors.As(err, &syntax); {
	case err == nil:
		t.Errorf("%q: accepted, RDKit has a %s error", want.SMILES, want.ErrKind)
	case want.OK:
		t.Errorf("%q: %v", want.SMILES, err)
	case parse != (want.ErrKind == "parse"):
		t.Errorf("%q: %v, RDKit has a %s error", want.SMILES, err, want.ErrKind)
	case parse && want.ErrPos != 0 && syntax.Pos != want.ErrPos:
		t.Errorf("%q: %v, RDKit says position %d", want.SMILES, err, want.ErrPos)
	}
}
