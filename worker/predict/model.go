package predict

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/plan"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/stack"
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
	stack       *stack.Stack          // nil if the network predicts alone
	maxAtoms    int
	library     library // of training polymers
	properties  []string

	answers *lru.Cache[string, *answer] // by the chain, see Model.key
	graphs  *lru.Cache[featurize.Key, *prediction]

	mu     sync.Mutex
	users  int
	closed bool // no longer served: the last user closes the engines
}

// prediction is the ensemble's answer for a graph, once done is closed. Whoever
// made it runs the ensemble.
type prediction struct {
	done chan struct{}
	*ensemble.Prediction
	err error
}

// answer is what a model says of one chain.
type answer struct {
	*ensemble.Prediction
	blended    []stack.Prediction // by target; nil without a stack
	polymer    stack.Polymer      // what the stack sees of the chain
	unseen     []featurize.Unseen // nil without a domain
	unseenBy   [][]uint32         // by target: hashes that it was never measured with
	heavyAtoms int
	err        error // *structure.Error
}

func newModel(repo, commit string, r *revision.Revision, newEngine nn.NewEngine, maxAtoms int) (*Model, error) {
	e, err := ensemble.New(r.Models, newEngine, r.Calibration)
	if err != nil {
		return nil, err
	}
	m := &Model{Repo: repo, Commit: commit, Config: r.Config, Metrics: r.Metrics,
		ensemble: e, calibration: r.Calibration, domain: r.Domain, stack: r.Stack, maxAtoms: maxAtoms}
	m.library.known = r.Known
	for _, t := range r.Config.Targets {
		m.properties = append(m.properties, t.Name)
	}
	m.answers, _ = lru.New[string, *answer](keptAnswers) // fails on sizes below 1 only
	m.graphs, _ = lru.New[featurize.Key, *prediction](keptGraphs)
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

// chains answers for finished chains, in their order. Those that it does not know
// yet go through the ensemble together; what is computed for them waits for enter.
func (m *Model) chains(chains []chain, enter func() (leave func())) []*answer {
	answers := make([]*answer, len(chains))
	var unknown []int
	for i, c := range chains {
		if a, ok := m.answers.Get(m.key(c)); ok {
			answers[i] = a
		} else {
			unknown = append(unknown, i)
		}
	}
	if len(unknown) == 0 {
		return answers
	}
	graphs := make([]*featurize.Graph, len(unknown))
	leave := enter()
	for at, i := range unknown {
		answers[i], graphs[at] = m.read(chains[i])
	}
	leave()
	predictions := m.predictions(graphs, enter)
	for at, i := range unknown {
		a := answers[i]
		if p := predictions[at]; p != nil {
			<-p.done
			a.Prediction = p.Prediction
			if err := m.blend(a, p.err, enter); err != nil {
				a.err = &structure.Error{Code: "unpredictable", Monomer: -1, Detail: err.Error()}
			}
		}
		if size(a.unseen) <= keptUnseen {
			m.answers.Add(m.key(chains[i]), a)
		}
	}
	return answers
}

// chain is a finished chain and the conditions to predict it under.
type chain struct {
	structure.Chain
	conditions []float32
}

// key names what an answer depends on: the chain, and where there is a stack, which
// looks at repeat units, how many it has and the conditions.
func (m *Model) key(c chain) string {
	if m.stack == nil {
		return c.SMILES
	}
	key := strconv.Itoa(c.DP)
	for _, v := range c.conditions {
		key += " " + strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	return key + " " + c.SMILES
}

// blend adds the stack's predictions to an answer of the network, unless that
// failed.
func (m *Model) blend(a *answer, failed error, enter func() (leave func())) error {
	if failed != nil || m.stack == nil {
		return failed
	}
	defer enter()()
	network := make([][]float64, len(a.Values))
	for t, v := range a.Values {
		network[t] = v.PerFold
	}
	var err error
	a.blended, err = m.stack.Predict(a.polymer, network)
	return err
}

func size(unseen []featurize.Unseen) (atoms int) {
	for _, u := range unseen {
		atoms += len(u.Atoms)
	}
	return atoms
}

// read answers for a chain all but the prediction, which its graph is for: nil
// if there is none to be made.
func (m *Model) read(c chain) (*answer, *featurize.Graph) {
	f := m.ensemble.Featurizer()
	mol, err := f.Read(c.SMILES)
	if err != nil {
		return &answer{err: structure.Describe(err)}, nil
	}
	a := &answer{}
	for i := range mol.Atoms {
		if mol.Atoms[i].Element != 1 {
			a.heavyAtoms++
		}
	}
	if a.heavyAtoms > m.maxAtoms {
		a.err = &structure.Error{Code: "too_large", Monomer: -1, Detail: fmt.Sprintf("the chain has %d heavy atoms, more than %d", a.heavyAtoms, m.maxAtoms)}
		return a, nil
	}
	if a.heavyAtoms == 0 {
		a.err = &structure.Error{Code: "missing_structure", Monomer: -1, Detail: "there is no atom to predict from"}
		return a, nil
	}
	if m.domain != nil {
		a.unseen = m.domain.Unseen(mol)
		a.unseenBy = m.domain.UnseenBy(mol, m.properties)
	}
	if m.stack != nil {
		a.polymer = stack.Describe(mol, c.DP, c.conditions)
	}
	return a, f.GraphOf(mol)
}

// predictions predicts graphs, each once for all chains that have it, whoever
// asks; nil stays nil. Some may still be under way by another goroutine.
func (m *Model) predictions(graphs []*featurize.Graph, enter func() (leave func())) []*prediction {
	all := make([]*prediction, len(graphs))
	var mine []*prediction
	var plans []*plan.Plan
	for i, g := range graphs {
		if g == nil {
			continue
		}
		key := g.Key()
		p, ok := m.graphs.Get(key)
		if !ok {
			p = &prediction{done: make(chan struct{})}
			if earlier, ok, _ := m.graphs.PeekOrAdd(key, p); ok {
				p = earlier
			} else {
				mine, plans = append(mine, p), append(plans, m.ensemble.Plan(g))
			}
		}
		all[i] = p
	}
	m.run(mine, plans, enter)
	return all
}

// run runs the ensemble. Where it fails on all together, it tries each alone, so
// that one that cannot be predicted costs no other its answer.
func (m *Model) run(predictions []*prediction, plans []*plan.Plan, enter func() (leave func())) {
	out, err := m.ensemble.PredictAll(plans, enter)
	for i, p := range predictions {
		if err == nil {
			p.Prediction = out[i]
		} else if one, err := m.ensemble.PredictAll(plans[i:i+1], enter); err != nil {
			p.err = err
		} else {
			p.Prediction = one[0]
		}
		close(p.done)
	}
}
