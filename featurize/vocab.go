package featurize

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// Tokens with a fixed meaning. The words a Tokenizer was fitted on follow from
// FirstWord in the order they were first seen.
const (
	Padding   = 0
	Unknown   = 1
	FirstWord = 2
)

// unknownWord is the key of Unknown in the state of nfp's Tokenizer.
const unknownWord = "unk"

// Tokenizer maps feature strings to the rows of an embedding. It never changes
// once made, and is safe for concurrent use.
type Tokenizer struct {
	words []string // of token FirstWord+i
	token map[string]int32
}

// NewTokenizer makes the tokenizer whose token FirstWord+i is words[i].
func NewTokenizer(words []string) (*Tokenizer, error) {
	t := &Tokenizer{words: slices.Clone(words), token: make(map[string]int32, len(words))}
	for i, w := range t.words {
		if w == "" || w == unknownWord {
			return nil, fmt.Errorf("tokenizer: word %d is %q, which no feature is", i, w)
		}
		if j, dup := t.token[w]; dup {
			return nil, fmt.Errorf("tokenizer: words %d and %d are both %q", j-FirstWord, i, w)
		}
		t.token[w] = int32(i) + FirstWord
	}
	return t, nil
}

// TokenizerFromState makes the tokenizer that nfp's Tokenizer holds in _data
// and num_classes.
func TokenizerFromState(data map[string]int, numClasses int) (*Tokenizer, error) {
	if data[unknownWord] != Unknown {
		return nil, fmt.Errorf("tokenizer: %q has class %d, want %d", unknownWord, data[unknownWord], Unknown)
	}
	if len(data) != numClasses {
		return nil, fmt.Errorf("tokenizer: %d entries for %d classes", len(data), numClasses)
	}
	words := make([]string, numClasses-1)
	for w, class := range data {
		switch {
		case w == unknownWord:
		case class < FirstWord || class > numClasses:
			return nil, fmt.Errorf("tokenizer: %q has class %d of %d", w, class, numClasses)
		case words[class-FirstWord] != "":
			return nil, fmt.Errorf("tokenizer: %q and %q both have class %d", words[class-FirstWord], w, class)
		default:
			words[class-FirstWord] = w
		}
	}
	return NewTokenizer(words)
}

// State is what nfp's Tokenizer holds in _data and num_classes.
func (t *Tokenizer) State() (data map[string]int, numClasses int) {
	data = map[string]int{unknownWord: Unknown}
	for w, token := range t.token {
		data[w] = int(token)
	}
	return data, len(data)
}

// Words lists the words from token FirstWord on. The slice is shared and must
// not be changed.
func (t *Tokenizer) Words() []string { return t.words }

// Classes is the number of rows of the embedding, padding and unknown included.
func (t *Tokenizer) Classes() int { return len(t.words) + FirstWord }

// Token is the token of a word, Unknown if it was not fitted.
func (t *Tokenizer) Token(word string) int32 {
	if token, ok := t.token[word]; ok {
		return token
	}
	return Unknown
}

// MarshalJSON writes the words in token order.
func (t *Tokenizer) MarshalJSON() ([]byte, error) { return json.Marshal(t.words) }

// UnmarshalJSON reads what MarshalJSON wrote and refuses anything that no
// Tokenizer writes.
func (t *Tokenizer) UnmarshalJSON(b []byte) error {
	var words []string
	if err := json.Unmarshal(b, &words); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if words == nil {
		return fmt.Errorf("tokenizer: want a list of words, not null")
	}
	made, err := NewTokenizer(words)
	if err != nil {
		return err
	}
	*t = *made
	return nil
}

// Vocab is the pair of tokenizers of one fold, fitted on its training rows.
type Vocab struct {
	Atom *Tokenizer `json:"atom"`
	Bond *Tokenizer `json:"bond"`
}

// Validate reports a Vocab that lacks a tokenizer, as a JSON document can.
func (v *Vocab) Validate() error {
	if v.Atom == nil || v.Bond == nil {
		return fmt.Errorf("vocab: it needs both an atom and a bond tokenizer")
	}
	return nil
}

// Fit fits both tokenizers on graphs numbered by l, the training rows in row
// order, as nfp does: atoms by atom, bonds by directed edge.
func (l *Lexicons) Fit(graphs iter.Seq[*Graph]) (*Vocab, error) {
	atoms, bonds := firstSeen{lexicon: &l.Atom}, firstSeen{lexicon: &l.Bond}
	for g := range graphs {
		atoms.add(g.Atom)
		bonds.add(g.Bond)
	}
	at, err := NewTokenizer(atoms.order)
	if err != nil {
		return nil, fmt.Errorf("fit atoms: %w", err)
	}
	bt, err := NewTokenizer(bonds.order)
	if err != nil {
		return nil, fmt.Errorf("fit bonds: %w", err)
	}
	return &Vocab{Atom: at, Bond: bt}, nil
}

// firstSeen collects the words of ids in the order the ids first come.
type firstSeen struct {
	lexicon *Lexicon
	words   []string // the lexicon's, by id
	seen    []bool   // by id
	order   []string
}

func (f *firstSeen) add(ids []int32) {
	for _, id := range ids {
		if int(id) >= len(f.words) {
			f.words = f.lexicon.Words()
			f.seen = append(f.seen, make([]bool, len(f.words)-len(f.seen))...)
		}
		if !f.seen[id] {
			f.seen[id] = true
			f.order = append(f.order, f.words[id])
		}
	}
}
