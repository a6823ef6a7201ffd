package featurize

import (
	"sync"
	"sync/atomic"
)

// Binding maps graphs numbered by one Lexicons to the tokens of one Vocab.
type Binding struct{ Atom, Bond *TokenMap }

// Bind prepares v for graphs numbered by l.
func (l *Lexicons) Bind(v *Vocab) *Binding {
	return &Binding{
		Atom: &TokenMap{lexicon: &l.Atom, tokenizer: v.Atom},
		Bond: &TokenMap{lexicon: &l.Bond, tokenizer: v.Bond},
	}
}

// TokenMap maps Lexicon ids to tokens by an array, which it extends as the
// Lexicon grows. It is safe for concurrent use.
type TokenMap struct {
	lexicon   *Lexicon
	tokenizer *Tokenizer

	mu     sync.Mutex // held while extending
	tokens atomic.Pointer[[]int32]
}

// Tokens appends the token of each id to dst, and counts those that are
// Unknown.
func (m *TokenMap) Tokens(dst, ids []int32) (tokens []int32, unknown int) {
	var table []int32
	if p := m.tokens.Load(); p != nil {
		table = *p
	}
	for _, id := range ids {
		if int(id) >= len(table) {
			table = m.extend()
		}
		token := table[id]
		if token == Unknown {
			unknown++
		}
		dst = append(dst, token)
	}
	return dst, unknown
}

// extend makes the array cover all ids the Lexicon has given out.
func (m *TokenMap) extend() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	words := m.lexicon.Words()
	table := make([]int32, len(words))
	for id, w := range words {
		table[id] = m.tokenizer.Token(w)
	}
	m.tokens.Store(&table)
	return table
}
