package jobs

import (
	"encoding/json"
	"fmt"
	"time"

	"polyid-trainer/jobs/lease"
)

// EventType names what happened, as the API and webhooks do.
type EventType string

// The events of a training job. Epoch is never durable: see LiveEpoch.
const (
	EventCreated      EventType = "training_job.created"
	EventStarted      EventType = "training_job.started"
	EventFoldStarted  EventType = "training_job.fold_started"
	EventEpoch        EventType = "training_job.epoch"
	EventFoldResumed  EventType = "training_job.fold_resumed"
	EventFoldFinished EventType = "training_job.fold_finished"
	EventFinalizing   EventType = "training_job.finalizing"
	EventPublished    EventType = "training_job.published"
	EventSucceeded    EventType = "training_job.succeeded"
	EventFailed       EventType = "training_job.failed"
	EventCancelled    EventType = "training_job.cancelled"
	EventPaused       EventType = "training_job.paused"

	EventPredictionSucceeded EventType = "prediction.succeeded"
	EventPredictionFailed    EventType = "prediction.failed"
)

// lifecycle are the durable events, which webhooks may ask for.
var lifecycle = []EventType{
	EventCreated, EventStarted, EventFoldStarted, EventFoldResumed, EventFoldFinished, EventFinalizing,
	EventPublished, EventSucceeded, EventFailed, EventCancelled, EventPaused,
}

// Event is one entry of a job's durable history.
type Event struct {
	Seq  int             `json:"seq"` // from 1, without gaps
	ID   string          `json:"id"`
	Type EventType       `json:"type"`
	Time time.Time       `json:"time"`
	Data json.RawMessage `json:"data,omitempty"` // what the type calls for, e.g. {"fold":0,"epoch":12}
}

// Delivery is a webhook owed for one event. Its body was frozen when the event
// happened and lies beside the record.
type Delivery struct {
	WebhookID     string     `json:"webhook_id"` // the same at every attempt
	Event         int        `json:"event"`      // Seq of the event
	Attempts      []Attempt  `json:"attempts,omitempty"`
	NextAttemptAt *time.Time `json:"next_attempt_at"` // nil: delivered, or given up
	Delivered     bool       `json:"delivered"`

	Lease lease.Lease `json:"lease,omitzero"` // of the attempt that is being made
}

// Attempt is one try to deliver a webhook.
type Attempt struct {
	Time   time.Time `json:"time"`
	Status int       `json:"status,omitempty"` // HTTP status; 0 if there was no answer
	Error  string    `json:"error,omitempty"`
}

// LoseWorker takes the delivery away from a process that died over it. After too
// many there is no other attempt.
func (d *Delivery) LoseWorker(seen *lease.Lease) error {
	giveUp, err := d.Lease.Lose(seen, PolicyOf(Notify))
	if err == nil && giveUp {
		d.NextAttemptAt = nil
		d.Attempts = append(d.Attempts, Attempt{Time: seen.Since, Error: fmt.Sprintf("given up: %d processes in a row stopped without a word while they delivered it", d.Lease.Losses)})
	}
	return err
}

// Task is the next try to deliver the webhook of a job, or whatever else owes it.
func (d *Delivery) Task(job string) Task {
	return Task{Kind: Notify, Job: job, Attempt: d.Event<<8 | len(d.Attempts)} // see NotifyTask
}

// Record appends an event to events and, where w wants to hear of it, the webhook
// that is owed for it to owed. w may be nil.
func Record(events *[]Event, owed *[]Delivery, w *Webhook, now time.Time, typ EventType, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if string(raw) == "null" {
		raw = nil
	}
	e := Event{Seq: len(*events) + 1, ID: NewID(EventPrefix), Type: typ, Time: now.UTC(), Data: raw}
	*events = append(*events, e)
	if w.wants(typ) {
		at := e.Time
		*owed = append(*owed, Delivery{WebhookID: e.ID, Event: e.Seq, NextAttemptAt: &at})
	}
	return nil
}

// WebhookBody is the body of a webhook that tells of an event: data is what it
// happened to, as the API shows it.
func WebhookBody(e Event, data any) ([]byte, error) {
	return json.Marshal(struct {
		Type      EventType `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{e.Type, e.Time, data})
}

// record appends an event to the job's history, with the webhook it owes.
func (j *Job) record(now time.Time, typ EventType, data any) error {
	return Record(&j.Events, &j.Deliveries, j.Spec.Webhook, now, typ, data)
}
