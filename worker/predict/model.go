package predict

import (
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
)

// What a loaded model remembers, each a few kB at most.
const (
	keptGraphs  = 4096
	keptAnswers = 4096
	keptUnseen  = 2048 // atoms named in an answer's unseen environments, beyond which it is not kept
)

// Model is a revision, loaded. It never changes, and may be used by any number
// of goroutines.
type Model struct {
	Repo, Commit string
	LoadedAt     time.Time
	Config       revision.Config
	Metrics      revision.Metrics

	ensemble    *ensemble.Ensemble
	calibration *ensemble.Calibration // nil if the revision has none
	domain      *featurize.Domain     // likewise
	maxAtoms    int

	flight  singleflight.Group
	answers *lru.Cache[string, *answer] // by SMILES of the chain
	graphs  *lru.Cache[featurize.Key, prediction]

	mu     sync.Mutex
	users  int
	closed bool // no longer served: the last user closes the engines
}

// prediction runs the ensemble when first called, and gives its answer.
type prediction = func() (*ensemble.Prediction, error)

// answer is what a model says of one chain.
type answer struct {
	*ensemble.Prediction
	unseen     []featurize.Unseen // nil without a domain
	heavyAtoms int
	err        error // *structure.Error
}

func newModel(repo, commit string, r *revision.Revision, newEngine nn.NewEngine, maxAtoms int) (*Model, error) {
	e, err := ensemble.New(r.Models, newEngine, r.Calibration)
	if err != nil {
		return nil, err
	}
	m := &Model{Repo: repo, Commit: commit, Config: r.Config, Metrics: r.Metrics,
		ensemble: e, calibration: r.Calibration, domain: r.Domain, maxAtoms: maxAtoms}
	m.answers, _ = lru.New[string, *answer](keptAnswers) // fails on sizes below 1 only
	m.graphs, _ = lru.New[featurize.Key, prediction](keptGraphs)
	return m, nil
}

// use notes a user; false if the model is closed.
func (m *Model) use() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.users++
	return true
}

// release ends a use.
func (m *Model) release() { m.end(-1, false) }

// retire closes the model once its last user is done.
func (m *Model) retire() { m.end(0, true) }

func (m *Model) end(users int, retire bool) {
	m.mu.Lock()
	m.users += users
	m.closed = m.closed || retire
	last := m.closed && m.users == 0
	m.mu.Unlock()
	if last {
		m.ensemble.Close() // an engine without work has nothing to lose
	}
}

// chain answers for one finished chain. Equal chains asked for at the same time
// are computed once; enter is called by whoever computes.
func (m *Model) chain(smiles string, enter func() (leave func())) *answer {
	if a, ok := m.answers.Get(smiles); ok {
		return a
	}
	a, _, _ := m.flight.Do(smiles, func() (any, error) {
		defer enter()()
		a := m.compute(smiles)
		if size(a.unseen) <= keptUnseen {
			m.answers.Add(smiles, a)
		}
		return a, nil
	})
	return a.(*answer)
}

func size(unseen []featurize.Unseen) (atoms int) {
	for _, u := range unseen {
		atoms += len(u.Atoms)
	}
	return atoms
}

func (m *Model) compute(smiles string) *answer {
	f := m.ensemble.Featurizer()
	mol, err := f.Read(smiles)
	if err != nil {
		return &answer{err: structure.Describe(err)}
	}
	a := &answer{}
	for i := range mol.Atoms {
		if mol.Atoms[i].Element != 1 {
			a.heavyAtoms++
		}
	}
	if a.heavyAtoms > m.maxAtoms {
		a.err = &structure.Error{Code: "too_large", Monomer: -1, Detail: fmt.Sprintf("the chain has %d heavy atoms, more than %d", a.heavyAtoms, m.maxAtoms)}
		return a
	}
	if a.heavyAtoms == 0 {
		a.err = &structure.Error{Code: "missing_structure", Monomer: -1, Detail: "there is no atom to predict from"}
		return a
	}
	if m.domain != nil {
		a.unseen = m.domain.Unseen(mol)
	}
	if a.Prediction, err = m.graph(f.GraphOf(mol)); err != nil {
		a.err = &structure.Error{Code: "unpredictable", Monomer: -1, Detail: err.Error()}
	}
	return a
}

// graph predicts a graph, once for all chains that have it.
func (m *Model) graph(g *featurize.Graph) (*ensemble.Prediction, error) {
	key := g.Key()
	p, ok := m.graphs.Get(key)
	if !ok {
		p = sync.OnceValues(func() (*ensemble.Prediction, error) { return m.ensemble.Predict(m.ensemble.Plan(g)) })
		if earlier, ok, _ := m.graphs.PeekOrAdd(key, p); ok {
			p = earlier
		}
	}
	return p()
}
