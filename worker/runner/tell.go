package runner

import (
	"context"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/worker/memory"
	"polyid-trainer/worker/pipeline"
)

// leaveWithin bounds telling that a worker ends.
const leaveWithin = 2 * time.Second

// telling tells who this worker is while it is alive.
type telling struct {
	fleet  redisjobs.Fleet
	worker jobs.Worker
	memory *memory.Budget
	usage  usage
}

func (r *Runner) telling(p *pipeline.Pipeline, slots int) *telling {
	device := "cpu"
	if r.GPUs != "" {
		device = r.GPUs
	}
	return &telling{redisjobs.Fleet{Redis: r.Redis}, jobs.Worker{
		Name: p.Worker, Device: device, Machine: p.Hardware, Version: p.Code, Slots: slots, Since: time.Now().UTC(),
		Memory: p.Memory.Limit(), CostPerHour: r.CostPerHour,
	}, p.Memory, usage{}}
}

// run tells until ctx ends.
func (t *telling) run(ctx context.Context) {
	tick := time.NewTicker(redisjobs.WorkerEvery)
	defer tick.Stop()
	for {
		w := t.worker
		w.MemoryFree = t.memory.Free()
		w.CPU, w.Resident = t.usage.read(time.Now())
		_ = t.fleet.Tell(ctx, w) // again in a moment
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
			defer cancel()
			_ = t.fleet.Leave(end, w.Name) // or it is silent before long
			return
		case <-tick.C:
		}
	}
}

// usage is what this process uses of its machine.
type usage struct {
	last    time.Time
	seconds float64 // of CPU time by then
}

// read returns the cores in use since the last call and the bytes of memory that
// are resident; 0 where the system does not tell.
func (u *usage) read(now time.Time) (cores float64, resident int64) {
	seconds, resident := processUsage()
	if elapsed := now.Sub(u.last).Seconds(); !u.last.IsZero() && elapsed > 0 && seconds > 0 {
		cores = (seconds - u.seconds) / elapsed
	}
	u.last, u.seconds = now, seconds
	return cores, resident
}
