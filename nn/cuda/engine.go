package cuda

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"polyid-trainer/nn"
	"polyid-trainer/nn/internal/dropout"
	"polyid-trainer/nn/kernel"
	"polyid-trainer/nn/plan"
)

// engine is an nn.Engine on a device.
type engine struct {
	dev    *Device
	stream stream
	config nn.Config
	sizes  nn.Sizes
	seed   uint64
	steps  int64
	broken error // that ended the training

	plans map[*plan.Plan]*resident

	params        int // of the network
	weights, m, v buffer
	grad          buffer // of batches of several examples
	states        buffer
	input, output buffer
	tables        buffer // of dropout
	arrivals      buffer // at the grid's barrier

	dropout    dropout.Sampler
	classSizes []int // that tables has, ascending

	in  []uint32  // a run's input
	out []float32 // and its predictions
}

// buffer is memory of the arena.
type buffer struct {
	at    address
	bytes int
}

// NewEngine makes an engine on d; see nn.NewEngine.
func (d *Device) NewEngine(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
	if err := errors.Join(c.Validate(), s.Validate()); err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	if n := nn.NumParams(c, s); n > spaceWords {
		return nil, fmt.Errorf("new engine: %d parameters, more than the %d that a program can name", n, spaceWords)
	}
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	st, err := d.drv.stream()
	if err != nil {
		return nil, d.fail("make a stream", err)
	}
	e := &engine{dev: d, stream: st, config: c, sizes: s, seed: seed, params: nn.NumParams(c, s), plans: map[*plan.Plan]*resident{}}
	e.dropout.P = c.Dropout
	d.mu.Lock()
	d.folds++
	d.mu.Unlock()
	p := nn.NewParams(c, s)
	p.Init(seed)
	if err := e.start(p); err != nil {
		return nil, errors.Join(fmt.Errorf("new engine: %w", err), e.Close())
	}
	return e, nil
}

// start brings fresh weights to the device.
func (e *engine) start(p *nn.Params) error {
	if err := e.room("place a barrier", &e.arrivals, 8); err != nil {
		return err
	}
	if err := e.stream.zero(e.arrivals.at, 8); err != nil {
		return e.fail("clear a barrier", err)
	}
	return e.write("place the weights", &e.weights, bytesOf(p.Slab))
}

// Path names the kernels.
func (e *engine) Path() string { return "cuda" }

var _ nn.Placed = (*engine)(nil)

// Device names the device, for jobs and metrics.
func (e *engine) Device() string { return e.dev.info.Name + ", " + e.dev.info.Model }

// Close gives the engine's memory back.
func (e *engine) Close() error {
	err := e.stream.close()
	for p := range e.plans {
		e.dev.release(e.key(p))
	}
	e.plans = nil
	for _, b := range []*buffer{&e.weights, &e.m, &e.v, &e.grad, &e.states, &e.input, &e.output, &e.tables, &e.arrivals} {
		e.dev.give(b.at)
		*b = buffer{}
	}
	e.dev.mu.Lock()
	e.dev.folds--
	e.dev.mu.Unlock()
	if err != nil && e.broken == nil {
		return e.dev.fail("close a stream", err)
	}
	return nil
}

// Step runs one update; see nn.Engine. A failure of the device ends the
// engine: what the weights are after it is not known.
func (e *engine) Step(b *nn.Batch, o nn.Adam) (float64, error) {
	measured, err := b.CheckStep(e.config, e.sizes)
	if err != nil {
		return 0, err
	}
	if e.broken != nil {
		return 0, e.broken
	}
	if o.ClipNorm > 0 {
		return 0, errors.New("clip_norm: the cuda kernels update weights as gradients appear and cannot bound them: train without it, or on a cpu")
	}
	if err := e.makeMoments(); err != nil {
		return 0, err
	}
	if len(b.Examples) > 1 {
		if err := e.room("place the gradient", &e.grad, 4*e.params); err != nil {
			return 0, err
		}
	}
	a := kernel.NewAdamStep[float32](e.steps+1, o.LearningRate, o.Decay, o.Beta1, o.Beta2, o.Epsilon)
	scale := 1 / float64(measured)
	err = e.run(b, true, func(i int, h *header) {
		h.Scale = float32(scale * b.Examples[i].Counts())
		h.Rate, h.Decay, h.Mean, h.Square, h.Alpha, h.Epsilon = a.Rate, a.Decay, a.Mean, a.Square, a.Alpha, a.Epsilon
		if i > 0 {
			h.Flags |= adds
		}
		if i == len(b.Examples)-1 {
			h.Flags |= applies
		}
		if e.config.Dropout > 0 {
			h.Flags |= drops
			hi, lo := dropout.Stream(e.seed, b.Epoch, b.Examples[i].Row)
			h.StreamHiLow, h.StreamHiTop = uint32(hi), uint32(hi>>32)
			h.StreamLoLow, h.StreamLoTop = uint32(lo), uint32(lo>>32)
		}
	})
	if err != nil {
		return 0, err
	}
	e.steps++
	return e.loss(b, scale), nil
}

// loss is the masked mean absolute error of the predictions that came back, in
// float64 as nn/cpu adds it up.
func (e *engine) loss(b *nn.Batch, scale float64) float64 {
	loss := 0.0
	for i := range b.Examples {
		part := 0.0
		for k, y := range b.Examples[i].Target {
			if nn.Measured(y) {
				part += math.Abs(float64(e.out[i*e.sizes.Targets+k])-float64(y)) * (scale * b.Examples[i].Counts())
			}
		}
		loss += part
	}
	return loss
}

// Predict runs the network forward; see nn.Engine.
func (e *engine) Predict(b *nn.Batch, dst []float32) error {
	if err := b.CheckPredict(e.config, e.sizes, len(dst)); err != nil {
		return err
	}
	if len(b.Examples) == 0 {
		return nil
	}
	if err := e.run(b, false, func(int, *header) {}); err != nil {
		return err
	}
	copy(dst, e.out)
	return nil
}

// mostPlans bounds the plans that an engine holds on the device, and with them
// those that it keeps alive on the host: a table's that are built again are other
// plans to it.
const mostPlans = 8192

// run queues one launch for each example, and waits for their predictions.
func (e *engine) run(b *nn.Batch, train bool, fill func(i int, h *header)) error {
	if e.broken != nil {
		return e.broken
	}
	if len(e.plans) > mostPlans {
		e.evict(b)
	}
	if err := e.place(b); errors.Is(err, ErrOutOfMemory) && e.evict(b) {
		if err := e.place(b); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if train && e.config.Dropout > 0 {
		if err := e.makeTables(b); err != nil {
			return err
		}
	}
	starts := e.inputs(b, fill)
	if err := e.write("place the input", &e.input, bytesOf(e.in)); err != nil {
		return err
	}
	n := e.sizes.Targets
	if err := e.room("place the output", &e.output, 4*n*len(b.Examples)); err != nil {
		return err
	}
	for i := range b.Examples {
		r := e.plans[b.Examples[i].Plan]
		args := &arguments{
			Ops: r.ops, Phases: r.phases, Last: uint64(len(r.program.phases)),
			Weights: e.weights.at, M: e.m.at, V: e.v.at, Grad: e.grad.at,
			States: e.states.at, Plan: r.plan,
			Input: e.input.at + address(4*starts[i]), Output: e.output.at + address(4*n*i),
			Tables: e.tables.at, Arrivals: e.arrivals.at,
		}
		if !train {
			args.Last = uint64(r.program.forward)
		}
		if err := e.stream.launch(e.dev.blocks, args); err != nil {
			return e.fail("launch", err)
		}
	}
	e.out = slices.Grow(e.out[:0], n*len(b.Examples))[:n*len(b.Examples)]
	return e.fail("run", e.stream.read(bytesOf(e.out), e.output.at))
}

// place brings the plans of a batch to the device, and makes room for the
// states of any of them.
func (e *engine) place(b *nn.Batch) error {
	states := 0
	for i := range b.Examples {
		r, err := e.resident(b.Examples[i].Plan)
		if err != nil {
			return err
		}
		states = max(states, r.program.states)
	}
	return e.room("place the states of a polymer", &e.states, 4*states)
}

// evict gives up the plans that a batch does not need, and reports whether
// there were any. They are brought again when they are needed: with memory for
// a few plans only, a fold is slower, not impossible.
func (e *engine) evict(b *nn.Batch) bool {
	before := len(e.plans)
	for p := range e.plans {
		if !slices.ContainsFunc(b.Examples, func(ex nn.Example) bool { return ex.Plan == p }) {
			e.dev.release(e.key(p))
			delete(e.plans, p)
		}
	}
	return len(e.plans) < before
}

// inputs writes the inputs of a batch into e.in, each from a multiple of 4
// words on, and returns where.
func (e *engine) inputs(b *nn.Batch, fill func(int, *header)) []int {
	e.in = e.in[:0]
	starts := make([]int, len(b.Examples))
	for i := range b.Examples {
		ex := &b.Examples[i]
		for len(e.in)%4 != 0 {
			e.in = append(e.in, 0)
		}
		starts[i] = len(e.in)
		var h [1]header
		h[0].Plan = int32(e.plans[ex.Plan].image.size)
		fill(i, &h[0])
		e.in = append(e.in, words(h[:])...)
		e.in = append(e.in, words(ex.Atom)...)
		e.in = append(e.in, words(ex.Bond)...)
		for k := range e.sizes.Targets {
			y := float32(math.NaN())
			if k < len(ex.Target) {
				y = ex.Target[k]
			}
			e.in = append(e.in, math.Float32bits(y))
		}
	}
	return starts
}

// resident is p on the device, held until the engine is closed.
func (e *engine) resident(p *plan.Plan) (*resident, error) {
	if r, ok := e.plans[p]; ok {
		return r, nil
	}
	r, err := e.dev.hold(e.key(p), e.stream)
	if err != nil {
		if broken(err) {
			e.broken = err
		}
		return nil, err
	}
	e.plans[p] = r
	return r, nil
}

func (e *engine) key(p *plan.Plan) planKey {
	c := e.config
	c.Dropout = 0
	return planKey{p, c, e.sizes}
}

// moments reports whether Adam's moments are there. The second is placed last.
func (e *engine) moments() bool { return e.v.at != 0 }

// makeMoments makes Adam's moments unless they are there.
func (e *engine) makeMoments() error {
	if e.moments() {
		return nil
	}
	for _, b := range []*buffer{&e.m, &e.v} {
		if err := e.room("place Adam's moments", b, 4*e.params); err != nil {
			return err
		}
		if err := e.fail("clear Adam's moments", e.stream.zero(b.at, 4*e.params)); err != nil {
			return err
		}
	}
	return nil
}

// room makes b hold bytes, which it then does not keep the content of.
func (e *engine) room(op string, b *buffer, bytes int) error {
	if b.bytes >= bytes {
		return nil
	}
	if e.broken != nil {
		return e.broken
	}
	// What is queued may still use it; the engine waits for each run's output, so
	// nothing is.
	e.dev.give(b.at)
	*b = buffer{}
	at, err := e.dev.take(op, bytes)
	if err != nil {
		return err
	}
	*b = buffer{at, bytes}
	return nil
}

// write brings src to the device, into b.
func (e *engine) write(op string, b *buffer, src []byte) error {
	if err := e.room(op, b, len(src)); err != nil {
		return err
	}
	return e.fail(op, e.stream.write(b.at, src))
}

// fail ends the engine with what the driver said, if it said anything.
func (e *engine) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	e.broken = e.dev.fail(op, err)
	return e.broken
}

// words is v as 32-bit words.
func words[T any](v []T) []uint32 {
	b := bytesOf(v)
	w := make([]uint32, len(b)/4)
	copy(bytesOf(w), b)
	return w
}
