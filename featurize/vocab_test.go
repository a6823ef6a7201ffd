package featurize_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"polyid-trainer/featurize"
)

func TestLexicon(t *testing.T) {
	t.Parallel()
	var l featurize.Lexicon
	for i, w := range []string{"c", "a", "b"} {
		if id := l.ID([]byte(w)); id != int32(i) {
			t.Errorf("ID(%q) = %d, want %d", w, id, i)
		}
	}
	if id := l.ID([]byte("a")); id != 1 {
		t.Errorf("ID of a known word = %d, want 1", id)
	}
	if got := l.Words(); !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Errorf("Words() = %q", got)
	}
}

// Words that several goroutines meet at once still get one id each, and the
// ids cover 0..n-1.
func TestLexiconConcurrent(t *testing.T) {
	t.Parallel()
	const words, goroutines = 500, 8
	var l featurize.Lexicon
	ids := make([][words]int32, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range words {
				w := (i*7 + g*61) % words
				ids[g][w] = l.ID(fmt.Appendf(nil, "word %d", w))
			}
		})
	}
	wg.Wait()
	if len(l.Words()) != words {
		t.Fatalf("%d words, want %d", len(l.Words()), words)
	}
	for g := range goroutines {
		if ids[g] != ids[0] {
			t.Fatalf("goroutines 0 and %d got different ids", g)
		}
	}
	for w, id := range ids[0] {
		if want := fmt.Sprintf("word %d", w); l.Word(id) != want {
			t.Errorf("Word(%d) = %q, want %q", id, l.Word(id), want)
		}
	}
}

func TestLexiconHitAllocatesNothing(t *testing.T) {
	var l featurize.Lexicon
	word := []byte("('C', 4, 0, 0, False)")
	l.ID(word)
	l.ID(word)
	if n := testing.AllocsPerRun(100, func() { l.ID(word) }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

// graphs makes graphs of bare feature words, one atom list and one bond list
// each.
func graphs(l *featurize.Lexicons, rows ...[2]string) []*featurize.Graph {
	var gs []*featurize.Graph
	for _, r := range rows {
		g := &featurize.Graph{}
		for w := range strings.FieldsSeq(r[0]) {
			g.Atom = append(g.Atom, l.Atom.ID([]byte(w)))
		}
		for w := range strings.FieldsSeq(r[1]) {
			g.Bond = append(g.Bond, l.Bond.ID([]byte(w)))
		}
		gs = append(gs, g)
	}
	return gs
}

func TestVocab(t *testing.T) {
	t.Parallel()
	var l featurize.Lexicons
	gs := graphs(&l, [2]string{"Z H H", "s"}, [2]string{"C H O", "s d"}, [2]string{"O H C", "d s d"})

	// Fitted on rows 2 and 1, in that order: row 0 must leave no trace.
	v, err := l.Fit(slices.Values([]*featurize.Graph{gs[2], gs[1]}))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Atom.Words(); !slices.Equal(got, []string{"O", "H", "C"}) {
		t.Errorf("atom words %q", got)
	}
	if v.Atom.Classes() != 5 || v.Bond.Classes() != 4 {
		t.Errorf("classes %d and %d, want 5 and 4", v.Atom.Classes(), v.Bond.Classes())
	}

	b := l.Bind(v)
	late := graphs(&l, [2]string{"new O H", "s"})[0] // met after Bind
	for _, c := range []struct {
		ids     []int32
		m       *featurize.TokenMap
		want    []int32
		unknown int
	}{
		{gs[2].Atom, b.Atom, []int32{2, 3, 4}, 0},
		{gs[2].Bond, b.Bond, []int32{2, 3, 2}, 0},
		{gs[0].Atom, b.Atom, []int32{featurize.Unknown, 3, 3}, 1},
		{late.Atom, b.Atom, []int32{featurize.Unknown, 2, 3}, 1},
	} {
		got, unknown := c.m.Tokens(nil, c.ids)
		if !slices.Equal(got, c.want) || unknown != c.unknown {
			t.Errorf("Tokens(%v) = %v with %d unknown, want %v with %d", c.ids, got, unknown, c.want, c.unknown)
		}
	}
}

func TestVocabJSON(t *testing.T) {
	t.Parallel()
	var l featurize.Lexicons
	v, err := l.Fit(slices.Values(graphs(&l, [2]string{"C H O", "s d"})))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"atom":["C","H","O"],"bond":["s","d"]}`; string(b) != want {
		t.Errorf("marshals to %s, want %s", b, want)
	}
	var back featurize.Vocab
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if err := back.Validate(); err != nil {
		t.Error(err)
	}
	if back.Atom.Token("O") != 4 || back.Bond.Token("d") != 3 || back.Bond.Token("t") != featurize.Unknown {
		t.Error("tokens changed on the way")
	}
	for _, bad := range []string{
		`{"atom":["C","C"],"bond":["s"]}`, `{"atom":[""],"bond":["s"]}`, `{"atom":["unk"],"bond":["s"]}`,
		`{"atom":{"C":2},"bond":["s"]}`, `{"atom":["C"]}`, `{"atom":null,"bond":["s"]}`,
	} {
		var v featurize.Vocab
		if err := json.Unmarshal([]byte(bad), &v); err == nil && v.Validate() == nil {
			t.Errorf("accepts %s", bad)
		}
	}
}

func TestTokenizerState(t *testing.T) {
	t.Parallel()
	made, err := featurize.NewTokenizer([]string{"C", "H"})
	if err != nil {
		t.Fatal(err)
	}
	data, classes := made.State()
	if classes != 3 || len(data) != 3 || data["unk"] != 1 || data["C"] != 2 || data["H"] != 3 {
		t.Errorf("State() = %v, %d", data, classes)
	}
	back, err := featurize.TokenizerFromState(data, classes)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(back.Words(), made.Words()) {
		t.Errorf("words %q became %q", made.Words(), back.Words())
	}
	for name, c := range map[string]struct {
		data    map[string]int
		classes int
	}{
		"no unknown":    {map[string]int{"C": 2}, 1},
		"wrong unknown": {map[string]int{"unk": 2, "C": 1}, 2},
		"count":         {map[string]int{"unk": 1, "C": 2}, 3},
		"gap":           {map[string]int{"unk": 1, "C": 3}, 2},
		"doubled":       {map[string]int{"unk": 1, "C": 2, "H": 2}, 3},
		"padding":       {map[string]int{"unk": 1, "C": 0}, 2},
		"nothing":       {nil, 0},
	} {
		if _, err := featurize.TokenizerFromState(c.data, c.classes); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	g := func(atom, bond, src, dst []int32) *featurize.Graph {
		return &featurize.Graph{Atom: atom, Bond: bond, Src: src, Dst: dst}
	}
	one, two := []int32{1}, []int32{2}
	pair := []int32{0, 1}
	got := featurize.Groups([]*featurize.Graph{
		g(one, nil, nil, nil),
		nil,
		g(two, nil, nil, nil),
		g(one, nil, nil, nil),
		g(pair, one, one, two),
		g(pair, two, one, one), // the same numbers, otherwise divided
		g(pair, one, one, two),
	})
	if want := []int32{0, -1, 1, 0, 2, 3, 2}; !slices.Equal(got, want) {
		t.Errorf("Groups = %v, want %v", got, want)
	}
}
