package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/kernel"
	"polyid-trainer/nn/plan"
	"polyid-trainer/nn/train"
)

// onCores runs f on n goroutines at once and returns the first error.
func onCores(n int, f func(core int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// benchFeaturize is the rate at which all cores turn the table's SMILES into
// graphs.
func benchFeaturize(ctx context.Context, table *data.Table, budget time.Duration) (perS float64, err error) {
	var rows []string // enough that starting the workers does not count
	for range 10 {
		for _, s := range table.Structures {
			rows = append(rows, s.Polymer)
		}
	}
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		return 0, err
	}
	start, done := time.Now(), 0
	for done == 0 || time.Since(start) < budget {
		if _, err := f.All(ctx, rows, 0, nil); err != nil {
			return 0, err
		}
		done += len(rows)
	}
	return float64(done) / time.Since(start).Seconds(), nil
}

// benchPlans is the time that building one plan takes, the mean over the table's
// polymers, in milliseconds.
func benchPlans(f *featurize.Featurizer, table *data.Table, blocks int) (ms float64, err error) {
	graphs := make([]*featurize.Graph, table.Rows())
	for i, s := range table.Structures {
		if graphs[i], err = f.Graph(s.Polymer); err != nil {
			return 0, err
		}
	}
	var b plan.Builder
	b.Build(graphs[0], blocks) // makes its buffers
	start := time.Now()
	for _, g := range graphs {
		b.Build(g, blocks)
	}
	return 1e3 * time.Since(start).Seconds() / float64(len(graphs)), nil
}

// shape is a matrix product: rows × summed times summed × columns.
type shape struct{ m, k, n int }

// stepShapes is the forward products of one step on the mean polymer of
// examples: for each block those of bond, atom and message rows, by the mean
// classes of each layer.
func stepShapes(examples []nn.Example, c nn.Config) []shape {
	mean := func(classes func(p *plan.Plan) int) int {
		sum := 0
		for _, x := range examples {
			sum += classes(x.Plan)
		}
		return (sum + len(examples)/2) / len(examples)
	}
	return products(c, func(j int) (atoms, before, after int) {
		return mean(func(p *plan.Plan) int { return p.AtomClasses(j) }),
			mean(func(p *plan.Plan) int { return p.BondClasses(j) }),
			mean(func(p *plan.Plan) int { return p.BondClasses(j + 1) })
	})
}

// products is the forward products of one step, by the rows that each block
// has: atoms, and bonds before and after.
func products(c nn.Config, rows func(block int) (atoms, before, after int)) []shape {
	f := c.AtomFeatures
	var s []shape
	for j := range c.NumMessages {
		atoms, before, after := rows(j)
		s = append(s, shape{before, f, 2 * f}, shape{atoms, f, 6 * f}, shape{after, 2 * f, f})
		if j < c.NumMessages-1 {
			s = append(s, shape{after, f, 2 * f}, shape{atoms, 2 * f, f}, shape{atoms, f, 2 * f}, shape{atoms, 2 * f, f})
		}
	}
	return s
}

// benchProducts is the rate of a step's matrix products, forward, for the input
// and for the weights, and of fused multiply-adds on registers: the sum over
// cores that work at once. Both are from each call's fastest times, since what
// else the machine does can only make it slower.
func benchProducts(ks *kernel.Kernels[float32], shapes []shape, cores int) (gemm, peak float64) {
	gemms, peaks := make([]float64, cores), make([]float64, cores)
	_ = onCores(cores, func(core int) error { // no errors are made
		gemms[core], peaks[core] = benchCore(ks, shapes)
		return nil
	})
	for i := range cores {
		gemm, peak = gemm+gemms[i]/1e9, peak+peaks[i]/1e9
	}
	return gemm, peak
}

// benchCore is benchProducts on one core.
func benchCore(ks *kernel.Kernels[float32], shapes []shape) (gemm, peak float64) {
	const rounds = 48 // about a second; on a shared machine few of them are undisturbed
	var maxM, maxK, maxN int
	for _, s := range shapes {
		maxM, maxK, maxN = max(maxM, s.m), max(maxK, s.k), max(maxN, s.n)
	}
	const gap = 16 // between rows, so that they do not share cache sets
	xs, ys := random(maxM*(maxK+gap)), random(maxM*(maxN+gap))
	outX, outY := make([]float32, len(xs)), make([]float32, len(ys))
	w, grad := random(ks.PackedLen(maxK, maxN)), random(ks.PackedLen(maxK, maxN))
	scratch := make([]float32, ks.ScratchLen(maxK, maxN))
	var fastest [3][]time.Duration // of each product, by kind and shape
	for kind := range fastest {
		fastest[kind] = make([]time.Duration, len(shapes))
	}
	flops := 0.0
	for _, s := range shapes {
		flops += 3 * 2 * float64(s.m*s.k*s.n)
	}
	for round := range rounds {
		peak = max(peak, ks.FMAPeak())
		for i, s := range shapes {
			n := ks.PackedLen(s.k, s.n)
			wide := func(data []float32, cols int) kernel.View[float32] {
				return kernel.View[float32]{Data: data, Rows: s.m, Cols: cols, Stride: cols + gap}
			}
			x, y := wide(xs, s.k), wide(ys, s.n)
			pw := kernel.Panels[float32]{Data: w[:n], K: s.k, N: s.n}
			pg := kernel.Panels[float32]{Data: grad[:n], K: s.k, N: s.n}
			for kind, product := range []func(){
				func() { ks.Gemm(wide(outY, s.n), x, pw, kernel.Mode[float32]{}) },
				func() { ks.GemmT(wide(outX, s.k), y, pw, false, scratch) },
				func() { ks.GemmGrad(pg, x, y, false, scratch) },
			} {
				start := time.Now()
				product()
				if d := time.Since(start); round == 0 || d < fastest[kind][i] {
					fastest[kind][i] = d
				}
			}
		}
	}
	var total time.Duration
	for _, times := range fastest {
		for _, d := range times {
			total += d
		}
	}
	return flops / total.Seconds(), peak
}

func random(n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 0))
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32() - 0.5
	}
	return x
}

// flops is the multiplications and additions of the products of one step on p
// alone: forward, for the input and for the weights.
func flops(p *plan.Plan, c nn.Config) float64 {
	sum := 0
	for _, s := range products(c, func(j int) (atoms, before, after int) {
		return p.AtomClasses(j), p.BondClasses(j), p.BondClasses(j + 1)
	}) {
		sum += s.m * s.k * s.n
	}
	return 3 * 2 * float64(sum)
}

// trained is what benchTraining measured.
type trained struct {
	msPerStep, msPerPolymer float64 // of one fold, while all run
	gflops                  float64 // of all folds' products
	allocs, bytes           float64 // of one step
	heap                    float64 // bytes of one fold
}

// benchTraining trains as many folds as there are cores in batches of size, each
// on the table's rows in orders of its own as a training has them, until budget
// is spent.
func benchTraining(ctx context.Context, c nn.Config, fold *dataset.Fold, folds, size int, budget time.Duration) (t trained, err error) {
	before := heap()
	engines := make([]nn.Engine, folds)
	defer func() {
		for _, e := range engines {
			if e != nil {
				e.Close()
			}
		}
	}()
	adam := train.DefaultConfig().Adam(train.DefaultLearningRate)
	// The first steps make what is made once, and one fold alone shows what a
	// step allocates.
	const alone = 5
	examples := fold.Train.All()
	size = min(size, len(examples))
	sorted := slices.Clone(examples)
	slices.SortFunc(sorted, func(a, b nn.Example) int { return b.Plan.Bytes() - a.Plan.Bytes() })
	largest := nn.Batch{Examples: sorted[:size], Epoch: 1}
	for i := range engines {
		if engines[i], err = cpu.New(c, fold.Sizes(), uint64(i)); err != nil {
			return t, err
		}
		for range 2 {
			if _, err := engines[i].Step(&largest, adam); err != nil {
				return t, err
			}
		}
	}
	t.heap = (heap() - before) / float64(folds)
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	for range alone {
		if _, err := engines[0].Step(&largest, adam); err != nil {
			return t, err
		}
	}
	runtime.ReadMemStats(&b)
	t.allocs, t.bytes = float64(b.Mallocs-a.Mallocs)/alone, float64(b.TotalAlloc-a.TotalAlloc)/alone

	all := make([]trained, folds)
	deadline := time.Now().Add(budget)
	err = onCores(folds, func(core int) (err error) {
		all[core], err = benchFold(ctx, c, engines[core], adam, examples, size, uint64(core), deadline)
		return err
	})
	for _, f := range all {
		t.msPerStep += f.msPerStep / float64(folds)
		t.msPerPolymer += f.msPerPolymer / float64(folds)
		t.gflops += f.gflops
	}
	return t, err
}

// benchFold trains one fold until the deadline.
func benchFold(ctx context.Context, c nn.Config, e nn.Engine, adam nn.Adam, examples []nn.Example, size int, seed uint64, deadline time.Time) (t trained, err error) {
	r := rand.New(rand.NewPCG(seed, 1))
	batch := nn.Batch{Epoch: 1}
	var graphs []*plan.Plan
	work := 0.0
	start, steps, polymers := time.Now(), 0, 0
	for steps == 0 || time.Now().Before(deadline) {
		for rows := range slices.Chunk(r.Perm(len(examples)), size) {
			if ctx.Err() != nil {
				return t, context.Cause(ctx)
			}
			batch.Examples, graphs = batch.Examples[:0], graphs[:0]
			for _, i := range rows {
				x := examples[i]
				batch.Examples = append(batch.Examples, x)
				if !slices.ContainsFunc(graphs, x.Plan.Equal) { // equal graphs are computed once
					graphs = append(graphs, x.Plan)
					work += flops(x.Plan, c)
				}
			}
			if _, err := e.Step(&batch, adam); err != nil {
				return t, err
			}
			polymers += len(rows)
			if steps++; !time.Now().Before(deadline) {
				break
			}
		}
	}
	took := time.Since(start).Seconds()
	t.msPerStep, t.msPerPolymer = 1e3*took/float64(steps), 1e3*took/float64(polymers)
	t.gflops = work / took / 1e9
	return t, nil
}

// heap is the bytes in use after a collection.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// predictTogether is how many polymers go through the network at once, as they do
// in a validation and in worker/predict.
const predictTogether = 4

// benchPredict is the rate at which all cores together predict the table's
// polymers with one model, from their SMILES, with plans cached; and the time of
// one forward pass.
func benchPredict(ctx context.Context, c nn.Config, fold *dataset.Fold, table *data.Table, cores int, budget time.Duration) (perS, ms float64, err error) {
	weights := nn.NewParams(c, fold.Sizes())
	weights.Init(0)
	model := &checkpoint.Model{
		Config: c, Vocab: fold.Vocab, Scaler: fold.Scaler, Weights: weights,
	}
	for _, t := range table.Targets {
		model.Targets = append(model.Targets, checkpoint.Target{Name: t.Name})
	}
	done := make([]int, cores)
	forward := make([]time.Duration, cores)
	elapsed := make([]float64, cores)
	err = onCores(cores, func(core int) error {
		e, err := ensemble.New([]*checkpoint.Model{model}, cpu.New, nil)
		if err != nil {
			return err
		}
		defer e.Close()
		cache := plan.NewCache(c.NumMessages)
		pass := func(until time.Time) error {
			for part := range slices.Chunk(table.Structures, predictTogether) {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				var plans []*plan.Plan
				for i := range part {
					g, err := e.Featurizer().Graph(part[i].Polymer)
					if err != nil {
						return err
					}
					plans = append(plans, cache.Plan(g))
				}
				start := time.Now()
				if _, err := e.PredictAll(plans, nil); err != nil {
					return err
				}
				forward[core] += time.Since(start)
				if done[core] += len(part); time.Now().After(until) {
					return nil
				}
			}
			return nil
		}
		if err := pass(time.Now().Add(budget)); err != nil { // fills the cache
			return err
		}
		done[core], forward[core] = 0, 0
		start := time.Now()
		for until := start.Add(budget); done[core] == 0 || time.Now().Before(until); {
			if err := pass(until); err != nil {
				return err
			}
		}
		elapsed[core] = time.Since(start).Seconds()
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	for core := range cores {
		perS += float64(done[core]) / elapsed[core]
		ms += 1e3 * forward[core].Seconds() / float64(done[core]) / float64(cores)
	}
	return perS, ms, nil
}
