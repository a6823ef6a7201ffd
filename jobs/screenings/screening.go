package screenings

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/data/library"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

// Status is where a screening stands; the values are those of the API.
type Status string

// The statuses.
const (
	Queued    Status = "queued"
	Running   Status = "running"
	Paused    Status = "paused"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Ended reports whether nothing more happens unless somebody asks for it.
func (s Status) Ended() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Active reports whether workers are to work on it.
func (s Status) Active() bool { return s == Queued || s == Running }

// Events of a screening.
const (
	EventCreated    jobs.EventType = "screening.created"
	EventStarted    jobs.EventType = "screening.started"
	EventAssembling jobs.EventType = "screening.assembling"
	EventSucceeded  jobs.EventType = "screening.succeeded"
	EventFailed     jobs.EventType = "screening.failed"
	EventCancelled  jobs.EventType = "screening.cancelled"
	EventPaused     jobs.EventType = "screening.paused"
	EventResumed    jobs.EventType = "screening.resumed"
)

// Events are those that a webhook may ask for.
var Events = []jobs.EventType{EventCreated, EventStarted, EventAssembling, EventSucceeded, EventFailed, EventCancelled, EventPaused, EventResumed}

// Model is the revision that predicts, as it was when the screening was made.
type Model struct {
	Repo     string   `json:"repo"`
	Revision string   `json:"revision"` // as asked for
	Commit   string   `json:"commit"`
	Targets  []Target `json:"targets"`
	Level    string   `json:"level"` // of the intervals, in percent
	Files    []File   `json:"files"`
}

// Target is a property that the model predicts.
type Target struct {
	Name  string `json:"name"`
	Units string `json:"units"`
}

// File is one of the model's files, copied to where workers can read it.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Source is what is screened, as it was when the screening was made.
type Source struct {
	Name    string     `json:"name"`    // for people
	Library string     `json:"library"` // prefix of the library's objects; "" for a grid
	Hash    string     `json:"hash,omitempty"`
	Count   int64      `json:"count"`
	Header  []string   `json:"header"`
	Numeric []bool     `json:"numeric"`
	Roles   data.Roles `json:"roles"`
}

// Result is the finished result.
type Result struct {
	Attempt int     `json:"attempt"` // whose objects it is
	Rows    int64   `json:"rows"`
	Bytes   int64   `json:"bytes"`
	SHA256  string  `json:"sha256"`
	Chunks  []int64 `json:"chunks"` // bytes of each object
}

// Screening is the record.
type Screening struct {
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"` // name of the token that made it
	jobs.Details
	Spec   Spec   `json:"spec"`
	Model  Model  `json:"model"`
	Source Source `json:"source"`

	ShardRows int    `json:"shard_rows"`
	Status    Status `json:"status"`
	Reason    string `json:"reason,omitempty"`
	// Resumptions make the names of tasks differ from those before.
	Resumptions int           `json:"resumptions,omitempty"`
	Complete    bool          `json:"complete,omitempty"` // all shards are done
	Assembly    lease.Lease   `json:"assembly"`           // of who puts the results together
	Result      *Result       `json:"result,omitempty"`
	Failure     *jobs.Failure `json:"failure,omitempty"`

	Events     []jobs.Event    `json:"events"`
	Deliveries []jobs.Delivery `json:"deliveries,omitempty"`

	CreatedAt  time.Time `json:"created_at"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

const (
	mostShardRows  = 1000 // half a minute of one core with five full-size networks
	leastShardRows = 20
	shardsAtLeast  = 64 // of a library that is large enough
)

// shardRows is how many rows a shard of a library of n has.
func shardRows(n int64) int {
	return int(min(mostShardRows, max(leastShardRows, n/shardsAtLeast)))
}

// New is a screening that was just asked for.
func New(now time.Time, owner string, spec Spec, m Model, r Source) (*Screening, error) {
	s := &Screening{
		ID: jobs.NewID(jobs.ScreeningPrefix), Owner: owner, Details: jobs.Details{Name: spec.Name}, Spec: spec, Model: m, Source: r,
		ShardRows: shardRows(r.Count), Status: Queued, CreatedAt: now.UTC(),
	}
	return s, s.record(now, EventCreated, nil)
}

// Shards is how many shards there are.
func (s *Screening) Shards() int {
	return int((s.Source.Count + int64(s.ShardRows) - 1) / int64(s.ShardRows))
}

// Shard is the rows of a shard, from one up to another.
func (s *Screening) Shard(n int) (from, to int64) {
	from = int64(n) * int64(s.ShardRows)
	return from, min(s.Source.Count, from+int64(s.ShardRows))
}

// Grid is the grid that is screened, nil for a library.
func (s *Screening) Grid() *library.Grid { return s.Spec.Input.Grid }

// CheckRecord reports what cannot be true of a screening read from key.
func (s *Screening) CheckRecord(key string) error {
	if !jobs.ValidID(jobs.ScreeningPrefix, s.ID) || !strings.Contains(key, s.ID) {
		return fmt.Errorf("it is the record of the screening %q", s.ID)
	}
	if !slices.Contains([]Status{Queued, Running, Paused, Succeeded, Failed, Cancelled}, s.Status) {
		return fmt.Errorf("its status is %q, which no screening has", s.Status)
	}
	if s.ShardRows < 1 || s.Source.Count < 0 {
		return fmt.Errorf("its shards have %d of %d rows", s.ShardRows, s.Source.Count)
	}
	return nil
}

// record appends an event, with the webhook that is owed for it.
func (s *Screening) record(now time.Time, typ jobs.EventType, what any) error {
	return jobs.Record(&s.Events, &s.Deliveries, s.Spec.Webhook, now, typ, what)
}
