package records_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage/storagetest"
)

// A webhook's body is the job as it was when the event happened, and is there
// before the record that owes it.
func TestFrozenBodies(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	spec := jobs.DefaultSpec()
	spec.Dataset = data.Names{"x"}
	spec.Webhook = &jobs.Webhook{URL: "https://example.org/hook"}
	j, err := jobs.New(noon, "tester", spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*jobs.Job) error{
		func(j *jobs.Job) error { return j.Start(noon.Add(time.Minute)) },
		func(j *jobs.Job) error { return j.Cancel(noon.Add(time.Hour)) },
	} {
		if j, err = s.UpdateJob(t.Context(), j.ID, change); err != nil {
			t.Fatal(err)
		}
	}
	if len(j.Deliveries) != 3 {
		t.Fatalf("%d deliveries, want 3", len(j.Deliveries))
	}
	for i, want := range []struct {
		event  jobs.EventType
		status jobs.State
		at     time.Time
	}{
		{jobs.EventCreated, jobs.Queued, noon},
		{jobs.EventStarted, jobs.Preparing, noon.Add(time.Minute)},
		{jobs.EventCancelled, jobs.Cancelled, noon.Add(time.Hour)},
	} {
		body, err := s.WebhookBody(t.Context(), j.ID, j.Deliveries[i].WebhookID)
		if err != nil {
			t.Fatal(err)
		}
		var have struct {
			Type      jobs.EventType `json:"type"`
			Timestamp time.Time      `json:"timestamp"`
			Data      struct {
				ID     string     `json:"id"`
				Object string     `json:"object"`
				Status jobs.State `json:"status"`
			} `json:"data"`
		}
		if err := json.Unmarshal(body, &have); err != nil {
			t.Fatal(err)
		}
		if have.Type != want.event || have.Data.Status != want.status || !have.Timestamp.Equal(want.at) || have.Data.ID != j.ID || have.Data.Object != "training_job" {
			t.Errorf("delivery %d is %s", i, body)
		}
	}
	for _, id := range []string{"evt_x", "../job", jobs.NewID(jobs.EventPrefix)} {
		if _, err := s.WebhookBody(t.Context(), j.ID, id); jobs.ErrorCode(err) != jobs.NotFound {
			t.Errorf("body of %s: %v", id, err)
		}
	}

	// Storage that takes no bodies takes no record that owes one.
	faulty := &storagetest.Faulty{Bucket: b, Fail: func(_ int, op, key string) storagetest.Fault {
		if op == "put" && strings.Contains(key, "/webhooks/") {
			return storagetest.Refused
		}
		return storagetest.None
	}}
	k, err := jobs.New(noon, "tester", spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := records.New(faulty).Create(t.Context(), k); err == nil {
		t.Error("a job was created without the body it owes")
	}
	if _, err := s.Job(t.Context(), k.ID); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("and is there: %v", err)
	}
}
