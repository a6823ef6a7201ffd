package cuda

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"polyid-trainer/nn"
)

// New makes an engine on the first device of this machine, which it opens and
// closes for itself; see nn.NewEngine. A program that makes several keeps the
// device open with Open.
func New(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
	set, err := Open(Selection{Devices: []int{0}}, Options{})
	if err != nil {
		return nil, err
	}
	e, err := set.NewEngine(c, s, seed)
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return &owner{e, set}, nil
}

var _ nn.NewEngine = New

// owner is an engine with a device of its own.
type owner struct {
	nn.Engine
	set *Set
}

func (o *owner) Close() error { return errors.Join(o.Engine.Close(), o.set.Close()) }

// Set is the devices a worker trains on. Its methods may be called by any
// number of goroutines.
type Set struct {
	devices []*Device
	cpu     nn.NewEngine // for want of a sound device; nil: that is an error

	done chan struct{} // closed when nothing can be trained any more
	once sync.Once

	mu sync.Mutex // makes choosing a device and its engine one step
}

func newSet(cpu nn.NewEngine) *Set { return &Set{cpu: cpu, done: make(chan struct{})} }

// Choose opens what a worker's DEVICE asks for (see ParseSelection), with the
// engines of the CPU where it asks for them: its NewEngine is the worker's. If
// the devices cannot be opened, and DEVICE falls back to the CPU, it logs why.
func Choose(device string, o Options, cpu nn.NewEngine, log *slog.Logger) (*Set, error) {
	return choose(device, o, cpu, log, Open)
}

func choose(device string, o Options, cpu nn.NewEngine, log *slog.Logger, open func(Selection, Options) (*Set, error)) (*Set, error) {
	s, err := ParseSelection(device)
	if err != nil {
		return nil, err
	}
	if !s.GPU() {
		return newSet(cpu), nil
	}
	set, err := open(s, o)
	switch {
	case err == nil && s.CPU:
		set.cpu = cpu
	case err != nil && s.CPU:
		log.Warn("no GPU can be used, training on the CPU", "device", device, "error", err)
		return newSet(cpu), nil
	}
	return set, err
}

// Open opens the devices of a selection, each with the same options. It fails
// if one of them cannot be opened.
func Open(s Selection, o Options) (*Set, error) {
	return open(s, o, count, openDriver)
}

func open(s Selection, o Options, count func() (int, error), openDriver func(int) (driver, error)) (*Set, error) {
	ordinals := s.Devices
	if s.All {
		n, err := count()
		if err != nil {
			return nil, fmt.Errorf("look for devices: %w", err)
		}
		for i := range n {
			ordinals = append(ordinals, i)
		}
	}
	if len(ordinals) == 0 {
		return nil, errors.New("open devices: there are none")
	}
	set := newSet(nil)
	o.Folds = (o.Folds + len(ordinals) - 1) / len(ordinals)
	for _, n := range ordinals {
		drv, err := openDriver(n)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", deviceName(n), err), set.Close())
		}
		d, err := openDevice(drv, o)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", deviceName(n), err), set.Close())
		}
		d.lost = set.check
		set.devices = append(set.devices, d)
	}
	return set, nil
}

// NewEngine makes an engine on the sound device with the fewest, or on the CPU
// if there is none and it was asked for; see nn.NewEngine.
func (s *Set) NewEngine(c nn.Config, sizes nn.Sizes, seed uint64) (nn.Engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *Device
	for _, d := range s.devices {
		if d.Err() == nil && (best == nil || d.Usage().Folds < best.Usage().Folds) {
			best = d
		}
	}
	switch {
	case best == nil && s.cpu != nil:
		return s.cpu(c, sizes, seed)
	case best == nil:
		return nil, s.Err()
	}
	return best.NewEngine(c, sizes, seed)
}

// Err is nil while one device is sound, or the CPU takes their place. Otherwise the process can train
// nothing any more: it should end, and a new one look what is left; see Done.
func (s *Set) Err() error {
	if s.cpu != nil {
		return nil
	}
	var errs []error
	for _, d := range s.devices {
		err := d.Err()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// check closes done once all devices are lost.
func (s *Set) check() {
	if s.Err() != nil {
		s.once.Do(func() { close(s.done) })
	}
}

// Done is closed when Err is no longer nil, so that a worker stops taking folds
// that it would only fail.
func (s *Set) Done() <-chan struct{} { return s.done }

// String names the devices, as a job and a model card do: "2 × NVIDIA A10G". It
// is empty without any.
func (s *Set) String() string {
	var models []string
	n := map[string]int{}
	for _, d := range s.devices {
		if n[d.info.Model]++; n[d.info.Model] == 1 {
			models = append(models, d.info.Model)
		}
	}
	for i, m := range models {
		models[i] = fmt.Sprintf("%d × %s", n[m], m)
	}
	return strings.Join(models, ", ")
}

// Report is a device as /metrics and a job show it.
type Report struct {
	Info
	Usage
	Err error // what has made it useless
}

// Report lists the devices.
func (s *Set) Report() []Report {
	var r []Report
	for _, d := range s.devices {
		r = append(r, Report{d.Info(), d.Usage(), d.Err()})
	}
	return r
}

// Close closes the devices; engines on them must have been closed.
func (s *Set) Close() error {
	var errs []error
	for _, d := range s.devices {
		errs = append(errs, d.Close())
	}
	s.devices = nil
	return errors.Join(errs...)
}
