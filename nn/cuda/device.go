package cuda

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// Options of a device. The zero value is the default.
type Options struct {
	// Folds is how many folds are trained at once, in all: a device's
	// multiprocessors are shared out among its part of them. 0 is one on each
	// device. More folds than this run, but take turns.
	Folds int
	// Memory is the size of the arena in bytes; 0 is three quarters of what is
	// free when the device is opened.
	Memory int
}

// Device is an open device. Its methods may be called by any number of
// goroutines; engines on it run side by side.
type Device struct {
	drv    driver
	info   Info
	blocks int // of one fold's launches

	mu    sync.Mutex
	arena arena
	plans map[planKey]*resident
	folds int
	err   error // that made the device useless

	lost func() // is called when err is set; may be nil
}

// planKey is what a program depends on.
type planKey struct {
	plan   *plan.Plan
	config nn.Config // without dropout
	sizes  nn.Sizes
}

// resident is a plan and its program on the device, shared by the folds that
// train on it.
type resident struct {
	program *program
	image   *planImage
	folds   int

	memory            address
	ops, phases, plan address
}

func openDevice(drv driver, o Options) (*Device, error) {
	info, err := drv.describe()
	if err != nil {
		return nil, errors.Join(err, drv.close())
	}
	d := &Device{drv: drv, info: info, plans: map[planKey]*resident{}}
	d.blocks = max(1, info.Blocks/max(1, o.Folds))
	if info.Enough > 0 {
		d.blocks = min(d.blocks, info.Enough)
	}
	d.arena.size = o.Memory
	if o.Memory == 0 {
		d.arena.size = info.Free / 4 * 3
	}
	if d.arena.base, err = drv.alloc(d.arena.size); err != nil {
		err = &Error{info.Name, fmt.Sprintf("reserve an arena of %.0f MB, %.0f of %.0f MB are free", mb(d.arena.size), mb(info.Free), mb(info.Memory)), err}
		return nil, errors.Join(err, drv.close())
	}
	return d, nil
}

// Info describes the device as it was when it was opened.
func (d *Device) Info() Info { return d.info }

// Err is the error that has made the device useless to this process, or nil.
func (d *Device) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Usage is what a device is doing.
type Usage struct {
	Folds       int // engines
	Plans       int // resident
	Used, Arena int // bytes
}

// Usage reports how much of the device is in use.
func (d *Device) Usage() Usage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Usage{Folds: d.folds, Plans: len(d.plans), Used: d.arena.used(), Arena: d.arena.size}
}

// Close frees the device. Its engines must have been closed.
func (d *Device) Close() error {
	return errors.Join(d.drv.free(d.arena.base), d.drv.close())
}

// fail wraps what the driver said, and remembers it if it was the last word.
func (d *Device) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{d.info.Name, op, err}
	if broken(err) {
		d.mu.Lock()
		first := d.err == nil
		if first {
			d.err = e
		}
		d.mu.Unlock()
		if first && d.lost != nil {
			d.lost()
		}
	}
	return e
}

// take reserves memory of the arena.
func (d *Device) take(op string, bytes int) (address, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.arena.take(bytes)
	if err != nil {
		return 0, &Error{d.info.Name, op, err}
	}
	return p, nil
}

func (d *Device) give(p address) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arena.give(p)
}

// hold returns the plan of key on the device, for one more fold. If it must be
// brought there, s is waited for.
func (d *Device) hold(key planKey, s stream) (*resident, error) {
	d.mu.Lock()
	if r, ok := d.plans[key]; ok {
		r.folds++
		d.mu.Unlock()
		return r, nil
	}
	d.mu.Unlock()
	r, err := d.bring(key, s)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if other, ok := d.plans[key]; ok { // brought by another fold meanwhile
		d.arena.give(r.memory)
		r = other
	}
	d.plans[key] = r
	r.folds++
	return r, nil
}

// release gives up what hold returned.
func (d *Device) release(key planKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.plans[key]
	if r.folds--; r.folds == 0 {
		delete(d.plans, key)
		d.arena.give(r.memory)
	}
}

// bring copies a plan and its program to the device.
func (d *Device) bring(key planKey, s stream) (*resident, error) {
	image := newPlanImage(key.plan)
	if len(image.words) > spaceWords {
		return nil, fmt.Errorf("place a plan: that of %d atoms takes %.0f MB, more than a program can name", image.atoms, mb(4*len(image.words)))
	}
	p, err := assemble(key.config, key.sizes, image)
	if err != nil {
		return nil, err
	}
	ops, phases, words := bytesOf(p.ops), append(bytesOf(p.phases), bytesOf(p.owners)...), bytesOf(image.words)
	round := func(n int) int { return (n + granule - 1) / granule * granule }
	r := &resident{program: p, image: image}
	if r.memory, err = d.take("place a plan", round(len(ops))+round(len(phases))+len(words)); err != nil {
		return nil, err
	}
	r.ops = r.memory
	r.phases = r.ops + address(round(len(ops)))
	r.plan = r.phases + address(round(len(phases)))
	var last [4]byte
	err = errors.Join(s.write(r.ops, ops), s.write(r.phases, phases), s.write(r.plan, words), s.read(last[:], r.plan))
	if err != nil {
		d.give(r.memory)
		return nil, d.fail("copy a plan", err)
	}
	image.words, p.ops, p.owners = nil, nil, nil // the device has them
	return r, nil
}

// bytesOf is v's memory. Devices and the hosts they are in are little-endian.
func bytesOf[T any](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}
