package pipeline

import (
	"math"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/train"
)

// progress is what a running fold tells. It is a train.Recorder that costs a
// step no more than a lock.
type progress struct {
	now func() time.Time

	mu        sync.Mutex
	heartbeat jobs.Heartbeat
	began     time.Time // of this attempt's first step
	done      int       // steps of this attempt
}

var _ train.Recorder = (*progress)(nil)

func newProgress(now func() time.Time, epochs int) *progress {
	none := train.Measure(math.NaN())
	return &progress{now: now, heartbeat: jobs.Heartbeat{Epochs: epochs, Loss: none, ValLoss: none, BestValLoss: none}}
}

// claimed takes over what the record knows of the fold.
func (p *progress) claimed(f *jobs.Fold) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heartbeat.Worker, p.heartbeat.Attempt = f.Worker, f.Attempt
	if c := f.Checkpoint; c != nil && c.Epoch > 0 {
		p.heartbeat.Loss = train.Measure(c.Loss)
		if c.BestEpoch > 0 { // one was validated
			p.heartbeat.ValLoss, p.heartbeat.BestValLoss, p.heartbeat.BestEpoch = train.Measure(c.ValLoss), train.Measure(c.BestValLoss), c.BestEpoch
		}
	}
}

// Start implements train.Recorder.
func (p *progress) Start(s train.Start) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heartbeat.Epoch, p.heartbeat.Step, p.heartbeat.Path, p.heartbeat.Device = s.Epoch, s.Step, s.Path, s.Device
	p.began = p.now()
}

// Step implements train.Recorder.
func (p *progress) Step(s train.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	b := &p.heartbeat
	b.Epoch, b.Step, b.Steps, b.Loss = s.Epoch-1, s.Step, s.Steps, train.Measure(s.MeanLoss)
}

// Epoch implements train.Recorder.
func (p *progress) Epoch(e train.Epoch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.heartbeat
	b.Epoch, b.Step, b.Loss = e.Epoch, 0, e.Loss
	if !e.Validated() {
		return
	}
	b.ValLoss = e.ValLoss
	if b.BestEpoch == 0 || e.ValLoss < b.BestValLoss {
		b.BestValLoss, b.BestEpoch = e.ValLoss, e.Epoch
	}
}

// tell is the progress now. The pace is that of this attempt, validation and
// checkpoints included.
func (p *progress) tell(owed time.Duration) jobs.Heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.heartbeat
	b.Time, b.Seconds = p.now().UTC(), owed.Seconds()
	if p.done > 0 {
		perStep := b.Time.Sub(p.began).Seconds() / float64(p.done)
		left := (b.Epochs-b.Epoch)*b.Steps - b.Step
		b.MSPerStep, b.ETASeconds = 1000*perStep, perStep*float64(left)
	}
	return b
}
