package jobs

import (
	"time"

	"polyid-trainer/jobs/fairshare"
)

// Worker is what a worker process tells of itself while it is alive.
type Worker struct {
	Name    string    `json:"name"`   // "host:pid"
	Device  string    `json:"device"` // what it trains on: "cpu", "cuda:0, NVIDIA A10G"
	Machine string    `json:"machine"`
	Version string    `json:"version"`
	Slots   int       `json:"slots"` // folds it trains at once
	Since   time.Time `json:"since"`

	Memory      int64   `json:"memory"`      // bytes that folds may use, 0 is no limit
	MemoryFree  int64   `json:"memory_free"` // bytes of these that no fold has
	Resident    int64   `json:"resident"`    // bytes of the process; 0 where the system does not tell
	CPU         float64 `json:"cpu"`         // cores in use, of late; 0 where the system does not tell
	CostPerHour float64 `json:"cost_per_hour"`

	Heard time.Time `json:"heard,omitzero"` // when it last told, by the clock of Redis
}

// Waiting is what waits for workers and what they do, at one moment.
type Waiting struct {
	Shares []fairshare.Share // tokens with something waiting or running, by name
	Runs   []Run             // what runs
	Items  map[string][]Item // what waits, by token and in the token's own order; at most so many each
}

// Run is a task that a worker has.
type Run struct {
	Task
	Worker string
	Since  time.Time // when it was taken
}

// Item is a task that waits.
type Item struct {
	Task
	Since time.Time
}
