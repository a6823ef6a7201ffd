// Package dataset turns a table's polymers into what the network learns from:
// one graph per distinct polymer, made once, packed, and shared by all folds, the
// plans that training reads again and again in a cache of bounded size, and per
// fold a vocabulary and a scaler fitted on its training rows.
package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// PlanBytes bounds the plans that a Dataset holds for the next epoch: those of
// 2,000 chains of PolyID's size.
const PlanBytes = 256 << 20

// Dataset is the polymers of a table's rows. It is read-only once made and may
// be shared by any number of folds. It takes half a byte an atom of each distinct
// graph and up to PlanBytes of plans, whose presence changes no result.
type Dataset struct {
	lexicons *featurize.Lexicons
	blocks   int
	graphs   []packed // distinct, by number
	row      []int32  // number of each row's graph
	text     []int32  // number of each row's SMILES
	plans    *plan.Bounded

	once sync.Once
	keys []string // of graphs; see GraphKeys
}

// readTogether is how many distinct SMILES are featurized before their graphs
// are packed.
const readTogether = 1024

// New featurizes the SMILES of a table's rows for a network of blocks blocks.
// Rows with the same SMILES are read once. A row that cannot be read is a
// *RowError; all of them are reported, joined. Cost: 0.1 ms and up for each
// distinct SMILES, on every core.
func New(ctx context.Context, f *featurize.Featurizer, smiles iter.Seq[string], blocks int) (*Dataset, error) {
	d := &Dataset{lexicons: &f.Lexicons, blocks: blocks, plans: plan.NewBounded(PlanBytes)}
	l := loader{Dataset: d, featurizer: f, known: map[[16]byte]int32{}, number: map[featurize.Key]int32{}}
	for s := range smiles {
		if err := l.add(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := l.read(ctx); err != nil {
		return nil, err
	}
	var bad []error
	for i, t := range d.text {
		if err := l.failed[t]; err != nil {
			bad = append(bad, &RowError{i, err})
			continue
		}
		d.row = append(d.row, l.graph[t])
	}
	return d, errors.Join(bad...)
}

// loader is a Dataset under way.
type loader struct {
	*Dataset
	featurizer *featurize.Featurizer
	known      map[[16]byte]int32 // number of each SMILES, by its hash
	pending    []string           // SMILES that are not read yet
	graph      []int32            // of each SMILES that is
	failed     map[int32]error    // SMILES that cannot be read
	number     map[featurize.Key]int32
}

func (l *loader) add(ctx context.Context, smiles string) error {
	sum := sha256.Sum256([]byte(smiles))
	key := [16]byte(sum[:])
	n, ok := l.known[key]
	if !ok {
		n = int32(len(l.known))
		l.known[key] = n
		l.pending = append(l.pending, smiles)
	}
	l.text = append(l.text, n)
	if len(l.pending) == readTogether {
		return l.read(ctx)
	}
	return nil
}

// read featurizes what is pending and packs the graphs that are new.
func (l *loader) read(ctx context.Context) error {
	results, err := l.featurizer.All(ctx, l.pending, 0, nil)
	if err != nil {
		return err
	}
	l.pending = l.pending[:0]
	p := packers.Get().(*packer)
	defer packers.Put(p)
	for _, r := range results {
		g := int32(-1)
		if r.Err != nil {
			if l.failed == nil {
				l.failed = map[int32]error{}
			}
			l.failed[int32(len(l.graph))] = r.Err
		} else {
			var ok bool
			key := r.Graph.Key()
			if g, ok = l.number[key]; !ok {
				b, err := p.pack(r.Graph)
				if err != nil {
					return fmt.Errorf("packing a graph: %w", err)
				}
				g = int32(len(l.graphs))
				l.number[key] = g
				l.graphs = append(l.graphs, b)
			}
		}
		l.graph = append(l.graph, g)
	}
	return nil
}

// unpacked is a graph without Rev.
func (d *Dataset) unpacked(g int32) *featurize.Graph {
	p := packers.Get().(*packer)
	defer packers.Put(p)
	out, err := p.unpack(d.graphs[g])
	if err != nil {
		panic(fmt.Sprintf("dataset: a graph in memory is damaged: %v", err)) // it was packed here
	}
	return out
}

// plan is a graph's plan.
func (d *Dataset) plan(g int32) *plan.Plan {
	return d.plans.Plan(g, func(b *plan.Builder) *plan.Plan { return b.Build(d.unpacked(g), d.blocks) })
}

// everyGraph calls do for every distinct graph, on all cores.
func (d *Dataset) everyGraph(do func(g int32, graph *featurize.Graph)) {
	var each errgroup.Group
	each.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(d.graphs); from += readTogether {
		each.Go(func() error {
			for g := from; g < min(from+readTogether, len(d.graphs)); g++ {
				do(int32(g), d.unpacked(int32(g)))
			}
			return nil
		})
	}
	_ = each.Wait() // no call returns an error
}

// RowError says why a row cannot be read.
type RowError struct {
	Row int
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row, e.Err) }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// Rows is the number of rows.
func (d *Dataset) Rows() int { return len(d.row) }

// Distinct is the number of distinct graphs among them.
func (d *Dataset) Distinct() int { return len(d.graphs) }

// Texts numbers the rows' SMILES: equal ones alike, from 0.
func (d *Dataset) Texts() []int32 { return d.text }

// Bytes is the memory that the packed graphs take, and that of the plans held
// now.
func (d *Dataset) Bytes() (graphs, plans int) {
	for _, g := range d.graphs {
		graphs += cap(g)
	}
	return graphs, d.plans.Bytes()
}

// Fold is what one fold learns from, and what it takes to predict with it.
type Fold struct {
	Vocab           *featurize.Vocab
	Scaler          data.Scaler
	Train, Validate *Examples
}

// Sizes is what the fold adds to a network's configuration.
func (f *Fold) Sizes() nn.Sizes {
	return nn.Sizes{AtomClasses: f.Vocab.Atom.Classes(), BondClasses: f.Vocab.Bond.Classes(), Targets: len(f.Scaler.Center)}
}

// Fold fits a vocabulary and a scaler on the training rows of one fold of table,
// whose rows d was made from, and binds both sets of rows to them.
func (d *Dataset) Fold(table *data.Table, fold data.Fold) (*Fold, error) {
	return d.FoldOf(table, nil, fold)
}

// FoldOf is Fold where several rows of d, chains of one polymer, may be made from
// one row of table: that of each is in of, whose nil is the same one.
func (d *Dataset) FoldOf(table *data.Table, of []int32, fold data.Fold) (*Fold, error) {
	if of == nil && table.Rows() != d.Rows() || of != nil && len(of) != d.Rows() {
		return nil, fmt.Errorf("a table of %d rows, the dataset was made from %d", table.Rows(), d.Rows())
	}
	for _, rows := range [][]int{fold.Train, fold.Validate} {
		for _, r := range rows {
			if r < 0 || r >= d.Rows() {
				return nil, fmt.Errorf("the fold names row %d of %d", r, d.Rows())
			}
		}
	}
	vocab, err := d.lexicons.Fit(d.each(fold.Train))
	if err != nil {
		return nil, fmt.Errorf("fitting the vocabulary: %w", err)
	}
	measured := fold.Train // rows of the table
	if of != nil {
		measured = make([]int, len(fold.Train))
		for i, r := range fold.Train {
			measured[i] = int(of[r])
		}
	}
	scaler, err := table.FitScaler(measured)
	if err != nil {
		return nil, err
	}
	f := &Fold{Vocab: vocab, Scaler: scaler, Train: d.Bind(vocab, fold.Train), Validate: d.Bind(vocab, fold.Validate)}
	for _, x := range []*Examples{f.Train, f.Validate} {
		x.width = len(table.Targets)
		x.targets = make([]float32, 0, len(x.rows)*x.width)
		for _, r := range x.rows {
			if of != nil {
				r = of[r]
			}
			for _, y := range scaler.Transform(table.Values(int(r))) {
				x.targets = append(x.targets, float32(y))
			}
		}
		x.annotate(table, of, scaler)
	}
	f.Train.weigh()
	return f, nil
}

// each yields the graphs of rows, each graph once, by the first row that has it.
func (d *Dataset) each(rows []int) iter.Seq[*featurize.Graph] {
	return func(yield func(*featurize.Graph) bool) {
		seen := make([]bool, len(d.graphs))
		for _, r := range rows {
			if g := d.row[r]; !seen[g] {
				seen[g] = true
				if !yield(d.unpacked(g)) {
					return
				}
			}
		}
	}
}

// Bind gives rows the tokens of a vocabulary, without targets.
func (d *Dataset) Bind(v *featurize.Vocab, rows []int) *Examples {
	x := &Examples{set: d, tokens: d.lexicons.Bind(v), rows: make([]int32, len(rows))}
	for i, r := range rows {
		x.rows[i] = int32(r)
	}
	return x
}
