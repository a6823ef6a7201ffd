package searches

import (
	"time"

	"polyid-trainer/jobs"
)

// The events of a search, all of them durable.
const (
	EventCreated    jobs.EventType = "search.created"
	EventStarted    jobs.EventType = "search.started"
	EventTrialEnded jobs.EventType = "search.trial_ended"
	EventRung       jobs.EventType = "search.rung_decided"
	EventFinalizing jobs.EventType = "search.finalizing"
	EventSucceeded  jobs.EventType = "search.succeeded"
	EventFailed     jobs.EventType = "search.failed"
	EventCancelled  jobs.EventType = "search.cancelled"
	EventPaused     jobs.EventType = "search.paused"
)

// Lifecycle are the events that webhooks may ask for.
func Lifecycle() []jobs.EventType {
	return []jobs.EventType{EventCreated, EventStarted, EventTrialEnded, EventRung, EventFinalizing, EventSucceeded, EventFailed, EventCancelled, EventPaused}
}

// record appends an event to the search's history, with the webhook it owes.
func (s *Search) record(now time.Time, typ jobs.EventType, data any) error {
	return jobs.Record(&s.Events, &s.Deliveries, s.Spec.Webhook, now, typ, data)
}

// trialEvent is what EventTrialEnded tells.
func trialEvent(t *Trial) any {
	e := struct {
		Trial  int      `json:"trial"`
		Status Status   `json:"status"`
		Epochs int      `json:"epochs"`
		Score  *float64 `json:"score"`
		Job    string   `json:"training_job"`
	}{t.Index, t.Status, t.Epochs, nil, t.Job}
	if score, ok := t.Score(); ok {
		e.Score = &score
	}
	return e
}
