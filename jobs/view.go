package jobs

import (
	"cmp"
	"encoding/json"
	"math"
	"strings"
	"time"

	"polyid-trainer/nn/train"
)

// View is a training job as the API, webhooks and pages show it: what was asked
// for and where it stands.
type View struct {
	ID     string `json:"id"`
	Object string `json:"object"`          // "training_job"
	Owner  string `json:"owner"`           // name of the token that made it; "" was made before there were owners
	Trial  *Trial `json:"trial,omitempty"` // of a search
	Spec
	Name         string          `json:"name"`
	Notes        string          `json:"notes"`
	Tags         []string        `json:"tags"`
	SharedWith   []string        `json:"shared_with"` // names of tokens, or "*"
	Status       State           `json:"status"`
	StatusReason *string         `json:"status_reason"` // e.g. "budget" of a paused one
	Warnings     []Warning       `json:"warnings"`
	Progress     Progress        `json:"progress"`
	Folds        []FoldView      `json:"folds"`     // none before the job is prepared
	Metrics      json.RawMessage `json:"metrics"`   // null before the job is finalized
	Published    *Published      `json:"published"` // null before the job is published
	Cost         Cost            `json:"cost"`
	Error        *Failure        `json:"error"`
	CreatedAt    time.Time       `json:"created_at"`
	StartedAt    *time.Time      `json:"started_at"`
	FinishedAt   *time.Time      `json:"finished_at"`
}

// Progress is how far all folds have come.
type Progress struct {
	Fraction    float64  `json:"fraction"` // of the epochs, steps of running ones included
	EpochsDone  int      `json:"epochs_done"`
	EpochsTotal int      `json:"epochs_total"` // a fold that stopped early counts what it trained
	ETASeconds  *float64 `json:"eta_seconds"`  // null while no fold tells its pace
}

// FoldView is one fold as the API shows it.
type FoldView struct {
	Index       int           `json:"index"`
	Status      FoldStatus    `json:"status"`
	Epoch       int           `json:"epoch"` // finished epochs
	Epochs      int           `json:"epochs"`
	Loss        train.Measure `json:"loss"`
	ValLoss     train.Measure `json:"val_loss"`
	BestValLoss train.Measure `json:"best_val_loss"`
	BestEpoch   *int          `json:"best_epoch"`
	ETASeconds  *float64      `json:"eta_seconds"`
	Pace        float64       `json:"steps_per_second,omitempty"` // while it trains
	Attempt     int           `json:"attempt"`
	Worker      *string       `json:"worker"`           // who has it, or had it last
	Device      string        `json:"device,omitempty"` // what it trains on, or was trained on: "cuda:0, NVIDIA A10G", "avx512"
	ResumedFrom int           `json:"resumed_from_epoch"`
}

// Published is the newest revision of a job on the Hub.
type Published struct {
	Repo   string  `json:"repo"`
	Branch string  `json:"branch"`
	Commit string  `json:"commit"`
	Tag    *string `json:"tag"`
	URL    string  `json:"url"`
	Reason string  `json:"reason,omitempty"` // why it is not on the branch that the job names
}

// Cost is what a job has cost and will.
type Cost struct {
	WorkerSeconds float64  `json:"worker_seconds"` // process time of workers, divided among the folds each ran
	USD           float64  `json:"usd"`
	EstimatedUSD  *float64 `json:"estimated_total_usd"` // null before the first step
}

// NewView shows a job at a time, given its fold records and what its folds last
// told (nil, or shorter, where nothing is known). rate is USD per worker hour of
// what no record accounts for yet.
func NewView(now time.Time, j *Job, folds []*Fold, live []json.RawMessage, rate float64) View {
	v := View{
		ID: j.ID, Object: "training_job", Owner: j.Owner, Trial: j.Trial, Spec: j.Spec, Name: j.Name, Notes: j.Notes, Tags: orEmpty(j.Tags), SharedWith: orEmpty(j.SharedWith), Status: j.State, StatusReason: orNil(j.Reason),
		Warnings: j.Warnings, Folds: make([]FoldView, 0, len(folds)), Metrics: j.Metrics, Error: j.Failure,
		CreatedAt: j.CreatedAt.UTC(), StartedAt: timeOrNil(j.StartedAt), FinishedAt: timeOrNil(j.FinishedAt),
	}
	if v.StatusReason == nil {
		v.StatusReason = orNil(j.waitsFor(folds))
	}
	v.Priority = cmp.Or(v.Priority, PriorityNormal)
	if v.Warnings == nil {
		v.Warnings = []Warning{}
	}
	if len(v.Metrics) == 0 {
		v.Metrics = json.RawMessage("null")
	}
	if p := j.Published; p != nil {
		v.Published = &Published{p.Repo, p.Branch, p.Commit, orNil(p.Tag), p.URL, p.Reason}
	}
	var t tally
	for i, f := range folds {
		var told json.RawMessage
		if i < len(live) {
			told = live[i]
		}
		v.Folds = append(v.Folds, t.add(now, j, f, told, rate))
	}
	if len(folds) == 0 {
		t.total = j.Spec.Epochs * j.Spec.folds()
	}
	v.Progress, v.Cost = t.progress(j.State), t.cost(j.State)
	return v
}

// orEmpty is what JSON shows as a list, also where there is none.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// folds is how many folds the job is divided into.
func (s *Spec) folds() int {
	if n := len(s.Split.Folds); n > 0 {
		return n
	}
	return s.KFolds
}

// tally sums up a job's folds.
type tally struct {
	done, total  int     // epochs
	part         float64 // of epochs in progress
	seconds, usd float64

	running    int     // folds that tell their pace
	longest    float64 // seconds that one of these still takes
	left, pace float64 // what all of these still take: seconds, epochs
	waiting    int     // epochs of the folds that nobody trains now
}

func (t *tally) add(now time.Time, j *Job, f *Fold, live json.RawMessage, rate float64) FoldView {
	v := FoldView{
		Index: f.Index, Status: f.shown(j.State), Epochs: j.Spec.Epochs,
		Attempt: f.Attempt, Worker: orNil(f.Worker), ResumedFrom: f.ResumedFrom,
		Loss: missing, ValLoss: missing, BestValLoss: missing,
	}
	if c := f.Checkpoint; c != nil && c.Epoch > 0 {
		v.Epoch, v.Loss = c.Epoch, train.Measure(c.Loss)
		if c.BestEpoch > 0 { // one was validated
			v.BestEpoch, v.ValLoss, v.BestValLoss = &c.BestEpoch, train.Measure(c.ValLoss), train.Measure(c.BestValLoss)
		}
	}
	total := j.Spec.Epochs
	b, told := heartbeatOf(f, live)
	switch {
	case f.Result != nil:
		r := f.Result
		v.Epoch, v.BestEpoch, v.BestValLoss, total = r.Epochs, &r.BestEpoch, train.Measure(r.BestValLoss), r.Epochs
		v.Device = strings.Join(r.KernelPaths, ", ")
	case told:
		v.Epoch, v.Loss, v.ValLoss, v.BestValLoss = b.Epoch, b.Loss, b.ValLoss, b.BestValLoss
		if b.BestEpoch > 0 {
			v.BestEpoch = &b.BestEpoch
		}
		if b.MSPerStep > 0 {
			v.Pace = round(1000/b.MSPerStep, 100)
		}
		v.ETASeconds, v.Device = &b.ETASeconds, cmp.Or(b.Device, b.Path)
		left := float64(total - b.Epoch)
		if b.Steps > 0 {
			part := float64(b.Step) / float64(b.Steps)
			t.part += part
			left -= part
		}
		t.running++
		t.longest = max(t.longest, b.ETASeconds)
		t.left += b.ETASeconds
		t.pace += left
		t.seconds += b.Seconds
		t.usd += b.Seconds / 3600 * rate
	default:
		t.waiting += total - v.Epoch
	}
	t.done += v.Epoch
	t.total += total
	seconds, usd := f.Spent()
	t.seconds += seconds
	t.usd += usd
	return v
}

// shown is the fold's status as it is seen from outside. A fold that nobody holds
// is as its job is, whose record is written first.
func (f *Fold) shown(job State) FoldStatus {
	if f.Status.Ended() || f.Held() {
		return f.Status
	}
	switch {
	case job == Cancelled:
		return FoldCancelled
	case job == Failed && f.Status == FoldFailed:
		return FoldFailed
	case job == Paused, job == Failed:
		return FoldPaused
	}
	return FoldQueued
}

func (t *tally) fraction() float64 {
	if t.total == 0 {
		return 0
	}
	return min(1, (float64(t.done)+t.part)/float64(t.total))
}

// progress supposes that waiting folds train as fast as the running ones, as
// many at once.
func (t *tally) progress(s State) Progress {
	p := Progress{Fraction: round(t.fraction(), 1e4), EpochsDone: t.done, EpochsTotal: t.total}
	if s == Training && t.running > 0 {
		eta := t.left
		if t.pace > 0 {
			eta += float64(t.waiting) * t.left / t.pace
		}
		eta = round(max(t.longest, eta/float64(t.running)), 1)
		p.ETASeconds = &eta
	}
	return p
}

// cost supposes that what is left costs as much an epoch as what is done.
func (t *tally) cost(s State) Cost {
	c := Cost{WorkerSeconds: round(t.seconds, 1e3), USD: round(t.usd, 1e6)}
	if fraction := t.fraction(); fraction > 0 && t.seconds > 0 {
		total := c.USD
		if !s.Ended() {
			total = round(t.usd/fraction, 1e6)
		}
		c.EstimatedUSD = &total
	}
	return c
}

var missing = train.Measure(math.NaN())

// round rounds x to 1/parts.
func round(x, parts float64) float64 { return math.Round(x*parts) / parts }

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
