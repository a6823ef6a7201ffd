package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/jobs"
)

// at once lets no time pass between tries.
func atOnce(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Time{}
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(s.URL+"/", "tok")
	if err != nil {
		t.Fatal(err)
	}
	c.After = atOnce
	return c
}

// inTurn is h for one request at a time: what it counts is its own.
func inTurn(h http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		h(w, r)
	}
}

func view(t *testing.T, state jobs.State, epoch int) []byte {
	t.Helper()
	j, err := jobs.New(time.Unix(0, 0), "me", jobs.DefaultSpec())
	if err != nil {
		t.Fatal(err)
	}
	j.State = state
	f := &jobs.Fold{Job: j.ID, Checkpoint: &jobs.Checkpoint{Epoch: epoch, Loss: 0.5, ValLoss: 0.25, BestValLoss: 0.25, BestEpoch: 1}}
	body, err := json.Marshal(jobs.NewView(time.Unix(0, 0), j, []*jobs.Fold{f}, nil, 0))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost:8080", "ftp://x", "http://", "http://user:hush@host", "http://h?x=1"} {
		if _, err := New(bad, ""); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("New(%q): %v", bad, err)
		}
	}
}

// A submission that fails for no reason of its own is sent again under the same
// idempotency key, with the token.
func TestSubmit(t *testing.T) {
	t.Parallel()
	var keys []string
	answer := view(t, jobs.Queued, 0)
	c := serve(t, inTurn(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.URL.Path != "/v1/training-jobs" || string(body) != `{"dataset":"x"}` ||
			r.Header.Get("Authorization") != "Bearer tok" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("request %s %s %q %v", r.Method, r.URL, body, r.Header)
		}
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		switch len(keys) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.WriteHeader(http.StatusAccepted)
			w.Write(answer)
		}
	}))
	v, err := c.Submit(t.Context(), []byte(`{"dataset":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if v.Status != jobs.Queued || v.ID == "" || v.KFolds != 5 || v.Epochs != 500 || v.Folds[0].Status != jobs.FoldQueued {
		t.Errorf("the answer was read as %+v", v)
	}
	if len(keys) != 3 || keys[0] == "" || keys[1] != keys[0] || keys[2] != keys[0] {
		t.Errorf("idempotency keys %q, want one thrice", keys)
	}
}

// What the server refuses is shown with every problem, and not repeated.
func TestProblem(t *testing.T) {
	t.Parallel()
	calls := 0
	c := serve(t, inTurn(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status":422,"title":"Unprocessable","detail":"the job cannot be","code":"invalid","errors":[
			{"pointer":"/kfolds","detail":"1 is not between 2 and 20"},{"pointer":"/epochs","detail":"0"}]}`)
	}))
	_, err := c.Submit(t.Context(), nil)
	var p *Problem
	if !errors.As(err, &p) || p.Status != 422 || len(p.Errors) != 2 {
		t.Fatalf("%#v", err)
	}
	for _, want := range []string{"the job cannot be", "/kfolds: 1 is not", "/epochs: 0", "422", "invalid"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if calls != 1 {
		t.Errorf("sent %d times, want once", calls)
	}
}

func TestUnauthorizedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "<html>not JSON</html>")
	})
	_, err := c.Job(t.Context(), "tj_x")
	if err == nil || !strings.Contains(err.Error(), "API_TOKEN") || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
}

// A server that is not there is tried a few times and then named.
func TestAway(t *testing.T) {
	t.Parallel()
	c := serve(t, nil)
	waits := 0
	c.After = func(d time.Duration) <-chan time.Time { waits++; return atOnce(d) }
	c.Server = "http://127.0.0.1:1"
	if _, err := c.Job(t.Context(), "tj_x"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v", err)
	}
	if waits != tries-1 {
		t.Errorf("waited %d times, want %d", waits, tries-1)
	}
}

// A stream that breaks is asked for again from the last event on, and the job
// is read until it has ended.
func TestFollow(t *testing.T) {
	t.Parallel()
	var (
		mu          sync.Mutex
		connections []string // Last-Event-ID of each
		reads       int
	)
	step := make(chan int, 100)
	states := [][]byte{view(t, jobs.Queued, 0), view(t, jobs.Training, 1), view(t, jobs.Training, 2), view(t, jobs.Succeeded, 3)}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer tok" {
			t.Errorf("%s without the token", r.URL)
		}
		switch r.URL.Path {
		case "/v1/training-jobs/tj_1":
			mu.Lock()
			defer mu.Unlock()
			w.Write(states[min(reads, len(states)-1)])
			reads++
			step <- reads
		case "/v1/training-jobs/tj_1/events":
			if r.Header.Get("Accept") != "text/event-stream" {
				t.Errorf("events are asked for as %s", r.Header.Get("Accept"))
			}
			mu.Lock()
			connections = append(connections, r.Header.Get("Last-Event-ID"))
			connection := len(connections)
			mu.Unlock()
			if connection == 2 {
				w.WriteHeader(http.StatusBadGateway) // restarting
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, ": hello\n\nid: %d\nevent: training_job.created\ndata: {}\n\nevent: training_job.epoch\ndata: {}\n\n", connection)
			w.(http.Flusher).Flush()
			select {
			case <-step: // the job was read
			case <-r.Context().Done():
			}
		default:
			t.Errorf("unexpected %s", r.URL)
		}
	})
	var seen []jobs.State
	err := c.Follow(t.Context(), "tj_1", func(v *jobs.View) bool {
		seen = append(seen, v.Status)
		return !v.Status.Ended()
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 4 || seen[3] != jobs.Succeeded {
		t.Errorf("saw %v", seen)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(connections) < 3 || connections[0] != "" || connections[1] != "1" || connections[2] != "1" {
		t.Errorf("asked for events after %q, want \"\", 1, 1", connections)
	}
}

// What will not come is not waited for.
func TestFollowRefused(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	err := c.Follow(t.Context(), "tj_1", func(*jobs.View) bool { return true }, nil)
	var p *Problem
	if !errors.As(err, &p) || p.Status != 404 {
		t.Errorf("%v", err)
	}
}

func TestFollowEndsWithContext(t *testing.T) {
	t.Parallel()
	answer := view(t, jobs.Training, 1)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			<-r.Context().Done()
			return
		}
		w.Write(answer)
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Follow(ctx, "tj_1", func(*jobs.View) bool { cancel(); return true }, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestPredictCSV(t *testing.T) {
	t.Parallel()
	gets := 0
	c := serve(t, inTurn(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			body, _ := io.ReadAll(r.Body)
			if string(body) != "smiles_polymer\nCC\n" || r.Header.Get("Content-Type") != "text/csv" || r.URL.Query().Get("revision") != "v1.0.0" {
				t.Errorf("%s %q %v", r.URL, body, r.Header)
			}
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, `{"id":"pj_1","status":"queued","counts":{"total":1}}`)
		case r.Header.Get("Accept") == "text/csv":
			fmt.Fprint(w, "smiles_polymer,Tg_pred_mean\nCC,1\n")
		default:
			gets++
			fmt.Fprintf(w, `{"id":"pj_1","status":"%s","counts":{"total":1,"ok":1}}`, []string{"running", "succeeded"}[min(gets-1, 1)])
		}
	}))
	var out bytes.Buffer
	var progress []string
	p, err := c.PredictCSV(t.Context(), []byte("smiles_polymer\nCC\n"), Model{Revision: "v1.0.0"}, &out, func(p *Prediction) { progress = append(progress, p.Status) })
	if err != nil || p.Counts.OK != 1 || out.String() != "smiles_polymer,Tg_pred_mean\nCC,1\n" {
		t.Errorf("%+v, %v, %q", p, err, out.String())
	}
	if want := "queued running succeeded"; strings.Join(progress, " ") != want {
		t.Errorf("progress %q, want %s", progress, want)
	}
}

func TestPredictionFails(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"id":"pj_1","status":"failed","error":{"code":"x","detail":"the model is broken"}}`)
	})
	var out bytes.Buffer
	if _, err := c.PredictCSV(t.Context(), nil, Model{}, &out, nil); err == nil || !strings.Contains(err.Error(), "the model is broken") || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}
