package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"polyid-trainer/api/apitest"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

func TestListEvents(t *testing.T) {
	b := newBench(t, nil)
	id := b.create(`{"dataset": "stereopolymer_input_nopush", "webhook": {"url": "https://example.org/x", "events": ["training_job.started"]}, ` + small + `}`).ID
	at := noon.Add(time.Minute)
	b.update(id, func(j *jobs.Job) error {
		if err := j.Start(noon); err != nil {
			return err
		}
		j.Deliveries[0].Attempts = []jobs.Attempt{{Time: noon, Status: 500}}
		j.Deliveries[0].NextAttemptAt = &at
		return j.Pause(noon, "requested")
	})
	path := "/v1/training-jobs/" + id + "/events"
	_, body := apitest.Request{Path: path}.Send(t, b.url)
	goldenJSON(t, "events", body)
	_, body = apitest.Request{Path: path + "?limit=2"}.Send(t, b.url)
	l := decode[List[Event]](t, body)
	if len(l.Data) != 2 || l.Data[0].Seq != 3 || !l.HasMore || *l.NextAfter != l.Data[1].ID {
		t.Errorf("first page %s", body)
	}
	_, body = apitest.Request{Path: path + "?after=" + *l.NextAfter}.Send(t, b.url)
	if l := decode[List[Event]](t, body); len(l.Data) != 1 || l.Data[0].Seq != 1 || l.HasMore {
		t.Errorf("second page %s", body)
	}
	apitest.Request{Path: path + "?after=x"}.Problem(t, b.url, http.StatusUnprocessableEntity, "invalid")
	apitest.Request{Path: path + "?after=" + jobs.NewID(jobs.EventPrefix)}.Problem(t, b.url, http.StatusNotFound, "not_found")
	apitest.Request{Path: "/v1/training-jobs/tj_nope/events"}.Problem(t, b.url, http.StatusNotFound, "not_found")
}

// listen opens a stream and yields its events, until it ends or the test does.
func (b *bench) listen(id, last string) (next func() (sse.Event, bool), stop func()) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute) // a hang, not a pace
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/v1/training-jobs/"+id+"/events", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		b.Fatalf("the stream is %d %s", resp.StatusCode, kind)
	}
	events := make(chan sse.Event)
	go func() {
		defer close(events)
		for e, err := range sse.Read(resp.Body, nil) {
			if err != nil {
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	b.Cleanup(func() { cancel(); resp.Body.Close() })
	return func() (sse.Event, bool) { e, ok := <-events; return e, ok }, cancel
}

// expect reads events of the given types, and fails on any other.
func (b *bench) expect(next func() (sse.Event, bool), types ...string) (last sse.Event) {
	b.Helper()
	for _, want := range types {
		e, ok := next()
		if !ok || e.Type != want {
			b.Fatalf("the next event is %q %s (%v), want %s", e.Type, e.Data, ok, want)
		}
		last = e
	}
	return last
}

func TestStream(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	next, _ := b.listen(id, "")
	if v := decode[jobs.View](t, []byte(b.expect(next, "snapshot").Data)); v.ID != id || v.Status != jobs.Queued {
		t.Errorf("the snapshot is %+v", v)
	}
	first := b.expect(next, "training_job.created")
	if e := decode[Event](t, []byte(first.Data)); first.LastEventID != "1" || e.Seq != 1 || e.Type != jobs.EventCreated {
		t.Errorf("the first event is %+v", first)
	}
	b.update(id, func(j *jobs.Job) error { return j.Start(noon) })
	b.live.Send(jobs.Update{Changed: true})
	b.expect(next, "training_job.started")

	// A reader that was away for two events, and one that comes from elsewhere.
	b.update(id, func(j *jobs.Job) error { return j.Pause(noon, "budget") })
	again, stop := b.listen(id, "1")
	b.expect(again, "snapshot", "training_job.started", "training_job.paused")
	stop()
	lost, stop := b.listen(id, "99")
	b.expect(lost, "snapshot", "training_job.created", "training_job.started", "training_job.paused")
	stop()

	// The stream ends with the job.
	b.update(id, func(j *jobs.Job) error { return j.Cancel(noon) })
	b.live.Send(jobs.Update{Changed: true})
	last := b.expect(next, "training_job.paused", "training_job.cancelled")
	if _, more := next(); more {
		t.Error("the stream goes on after the job's end")
	}
	// A browser that reconnects is told to stop.
	resp, _ := apitest.Request{Path: "/v1/training-jobs/" + id + "/events", Header: map[string]string{"Accept": "text/event-stream", "Last-Event-ID": last.LastEventID}}.Send(t, b.url)
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("everything seen: %d", resp.StatusCode)
	}
	whole, _ := b.listen(id, "")
	b.expect(whole, "snapshot", "training_job.created", "training_job.started", "training_job.paused", "training_job.cancelled")
}

// Of what a fold tells between two sends, the last is sent.
func TestStreamEpochs(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	b.folds(id, 2)
	for i := range 2 {
		if _, err := b.store.UpdateFold(t.Context(), id, i, func(f *jobs.Fold) error {
			f.Status = jobs.FoldRunning
			return f.Lease.Claim(noon, "host:1", "token", lease.Length)
		}); err != nil {
			t.Fatal(err)
		}
	}
	next, _ := b.listen(id, "")
	b.expect(next, "snapshot", "training_job.created")
	const heartbeats = 200
	for epoch := 1; epoch <= heartbeats; epoch++ {
		for fold := range 2 {
			progress, err := json.Marshal(jobs.Heartbeat{Epoch: epoch, Epochs: 1000, Attempt: 1})
			if err != nil {
				t.Fatal(err)
			}
			for !b.live.Offer(jobs.Update{Fold: fold, Progress: progress}) { // the channel of the fake is bounded
			}
		}
	}
	newest := [2]int{}
	for n := 0; newest != [2]int{heartbeats, heartbeats}; n++ {
		e := b.expect(next, "training_job.epoch")
		v := decode[jobs.FoldView](t, []byte(e.Data))
		if e.LastEventID != "1" || v.Epoch <= newest[v.Index] {
			t.Errorf("fold %d is at %d after %d, with id %q", v.Index, v.Epoch, newest[v.Index], e.LastEventID)
		}
		newest[v.Index] = v.Epoch
		if n > heartbeats {
			t.Fatal("every heartbeat is sent")
		}
	}
}

// A job that is deleted ends its streams, and what is sent is well formed.
func TestStreamFormat(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	b.update(id, func(j *jobs.Job) error { return j.Cancel(noon) })
	resp, body := apitest.Request{Path: "/v1/training-jobs/" + id + "/events", Header: map[string]string{"Accept": "text/event-stream"}}.Send(t, b.url)
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("headers %v", resp.Header)
	}
	lines := bufio.NewReader(strings.NewReader(string(body)))
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if field, _, _ := strings.Cut(strings.TrimRight(line, "\n"), ":"); field != "" && field != "id" && field != "event" && field != "data" {
			t.Errorf("a line of the stream is %q", line)
		}
	}
}
