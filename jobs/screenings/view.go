package screenings

import (
	"cmp"
	"slices"
	"time"

	"polyid-trainer/jobs"
)

// View is a screening as the API, webhooks and pages show it.
type View struct {
	ID     string `json:"id"`
	Object string `json:"object"` // "screening"
	Owner  string `json:"owner"`
	Spec
	Model        ModelView     `json:"model"`
	Name         string        `json:"name"`
	Notes        string        `json:"notes"`
	Tags         []string      `json:"tags"`
	SharedWith   []string      `json:"shared_with"`
	Status       Status        `json:"status"`
	StatusReason *string       `json:"status_reason"`
	Counts       Counts        `json:"counts"`
	Rate         float64       `json:"rate"`        // rows a second, of the workers at work
	ETASeconds   *float64      `json:"eta_seconds"` // null while no pace is known
	Cost         Cost          `json:"cost"`
	Workers      []Worker      `json:"workers"`
	Kernel       string        `json:"kernel"`
	Difference   *float64      `json:"max_difference"` // see Ledger; null of a single kernel
	Results      *ResultsView  `json:"results"`        // null before they are complete
	Error        *jobs.Failure `json:"error"`
	CreatedAt    time.Time     `json:"created_at"`
	StartedAt    *time.Time    `json:"started_at"`
	FinishedAt   *time.Time    `json:"finished_at"`
}

// ModelView is the model without its files.
type ModelView struct {
	Repo     string   `json:"repo"`
	Revision string   `json:"revision"`
	Commit   string   `json:"commit"`
	Targets  []Target `json:"targets"`
}

// Counts are how many rows there are, and how they fared.
type Counts struct {
	Total  int64 `json:"total"`
	Done   int64 `json:"done"`
	Failed int64 `json:"failed"` // of those that are done
	Kept   int64 `json:"kept"`   // of those that are done, that where holds of
	Ready  int64 `json:"ready"`  // rows from the first on, which /results streams
}

// Cost is what a screening has cost and will.
type Cost struct {
	WorkerSeconds float64  `json:"worker_seconds"`
	USD           float64  `json:"usd"`
	EstimatedUSD  *float64 `json:"estimated_total_usd"` // null before the first shard
}

// Worker is who predicted how many rows.
type Worker struct {
	Worker string `json:"worker"`
	Rows   int64  `json:"rows"`
	Active bool   `json:"active"` // it has a claim in force
}

// ResultsView is the finished result.
type ResultsView struct {
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Format Format `json:"format"`
}

// NewView shows a screening at a time, given its ledger and the claims in force.
func NewView(now time.Time, s *Screening, l *Ledger, claims []*Claim) View {
	v := View{
		ID: s.ID, Object: "screening", Owner: s.Owner, Spec: s.Spec, Model: ModelView{s.Model.Repo, s.Model.Revision, s.Model.Commit, s.Model.Targets},
		Name: s.Name, Notes: s.Notes, Tags: orEmpty(s.Tags), SharedWith: orEmpty(s.SharedWith), Status: s.Status, Kernel: l.Kernel, Error: s.Failure,
		CreatedAt: s.CreatedAt.UTC(), StartedAt: timeOrNil(s.StartedAt), FinishedAt: timeOrNil(s.FinishedAt), Workers: []Worker{},
	}
	if s.Reason != "" {
		v.StatusReason = &s.Reason
	}
	if s.Spec.AnyKernel && l.MaxDifference > 0 {
		v.Difference = &l.MaxDifference
	}
	if r := s.Result; r != nil {
		v.Results = &ResultsView{r.Rows, r.Bytes, r.SHA256, s.Spec.Format}
	}
	t, rows := l.Tally, map[string]int64{}
	for w, n := range l.Workers {
		rows[w] = n
	}
	busy := map[string]bool{}
	var live int64
	for _, c := range claims {
		t.add(c.Tally)
		live += c.Hint
		rows[c.Lease.Worker] += c.Rows + c.Hint
		busy[c.Lease.Worker] = true
		if spent := now.Sub(c.Lease.Since).Seconds(); c.Rows+c.Hint > 0 && spent > 0 && s.Status == Running {
			v.Rate += float64(c.Rows+c.Hint) / spent
		}
	}
	v.Counts = Counts{Total: s.Source.Count, Done: t.Rows + live, Failed: t.Failed, Kept: t.Kept}
	if n := l.Ready(claims); n > 0 {
		_, v.Counts.Ready = s.Shard(n - 1)
	}
	for w, n := range rows {
		v.Workers = append(v.Workers, Worker{w, n, busy[w]})
	}
	slices.SortFunc(v.Workers, func(a, b Worker) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Worker, b.Worker)) })
	v.Cost = Cost{WorkerSeconds: t.Seconds, USD: t.USD}
	left := float64(s.Source.Count - v.Counts.Done)
	if v.Rate > 0 {
		eta := left / v.Rate
		v.ETASeconds = &eta
	}
	if t.Rows > 0 {
		total := t.USD * float64(s.Source.Count) / float64(t.Rows)
		v.Cost.EstimatedUSD = &total
	}
	return v
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
