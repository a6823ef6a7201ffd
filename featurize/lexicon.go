package featurize

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Lexicon numbers feature strings 0, 1, 2 … in the order it first meets them.
// It is safe for concurrent use; looking up a known string takes no lock and
// allocates nothing. The zero value is ready.
//
// An id is only good within the process: its value depends on what was
// featurized before, so nothing reproducible may be ordered by it.
type Lexicon struct {
	known atomic.Pointer[map[string]int32] // read without the lock, possibly behind ids

	mu     sync.Mutex
	ids    map[string]int32
	words  []string // by id; append-only
	misses int      // look-ups that known could not answer but ids could
}

// ID is the number of a feature string, which is added if it is new.
func (l *Lexicon) ID(word []byte) int32 {
	if known := l.known.Load(); known != nil {
		if id, ok := (*known)[string(word)]; ok {
			return id
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id, ok := l.ids[string(word)]
	if !ok {
		if l.ids == nil {
			l.ids = map[string]int32{}
		}
		id = int32(len(l.words))
		s := string(word)
		l.ids[s] = id
		l.words = append(l.words, s)
	}
	// Publishing a copy after as many misses as it has entries makes copying
	// cost O(1) per look-up.
	if l.misses++; l.misses >= len(l.ids) {
		copied := maps.Clone(l.ids)
		l.known.Store(&copied)
		l.misses = 0
	}
	return id
}

// Word is the feature string that ID gave id to.
func (l *Lexicon) Word(id int32) string { return l.Words()[id] }

// Words lists the feature strings by id, as far as they are known now. The
// slice is shared and must not be changed.
func (l *Lexicon) Words() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.words[:len(l.words):len(l.words)]
}

// Lexicons number the features of atoms and of directed bonds, each from 0.
type Lexicons struct{ Atom, Bond Lexicon }
