package httpapi

import (
	"bytes"
	"compress/gzip"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/jobs"
)

// HEAD answers as GET does, without a body, on every route, event streams
// included.
func TestHead(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	for _, path := range []string{"/v1/training-jobs", "/v1/training-jobs/" + id, "/v1/datasets", "/livez", "/openapi.json", "/docs", "/v1/training-jobs/" + id + "/events"} {
		get, body := apitest.Request{Path: path}.Send(t, b.url)
		head, none := apitest.Request{Method: http.MethodHead, Path: path, Header: map[string]string{"Accept": "text/event-stream"}}.Send(t, b.url)
		if head.StatusCode != get.StatusCode || get.StatusCode != http.StatusOK || len(none) > 0 || len(body) == 0 || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("HEAD %s answers %d %s with %d bytes, GET %d %s", path, head.StatusCode, head.Header.Get("Content-Type"), len(none), get.StatusCode, get.Header.Get("Content-Type"))
		}
	}
	if resp, _ := (apitest.Request{Method: http.MethodHead, Path: "/v1/training-jobs/tj_nope"}).Send(t, b.url); resp.StatusCode != http.StatusNotFound {
		t.Errorf("HEAD of nothing answers %d", resp.StatusCode)
	}
}

// Bodies come gzipped or with a byte order mark; what cannot be read is refused
// with the reason, and limits hold for what comes out.
func TestBodies(t *testing.T) {
	b := newBench(t, func(_ *TrainingJobs, c *Config) { c.Limits.TrainingJob = 10_000 })
	const job = `{"dataset": "stereopolymer_input_nopush", ` + small + `}`
	zip := func(text string) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write([]byte(text))
		w.Close()
		return out.String()
	}
	b.create("\xef\xbb\xbf" + job)
	b.create(zip(job), "Content-Encoding", "gzip")
	b.create(zip("\xef\xbb\xbf"+job), "Content-Encoding", "gzip")
	b.post("/v1/training-jobs", job, "Content-Encoding", "br").Problem(t, b.url, http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.post("/v1/training-jobs", job, "Content-Encoding", "gzip").Problem(t, b.url, http.StatusBadRequest, "malformed")
	bomb := zip(`{"dataset": "` + strings.Repeat("x", 1<<20) + `"}`)
	b.post("/v1/training-jobs", bomb, "Content-Encoding", "gzip").Problem(t, b.url, http.StatusRequestEntityTooLarge, "too_large")
}

// A form with two files is refused: one of them would be dropped.
func TestTwoFiles(t *testing.T) {
	b := newBench(t, nil)
	for n, want := range map[int]int{1: http.StatusCreated, 2: http.StatusBadRequest} {
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		for range n {
			part, err := w.CreateFormFile("file", "table.csv")
			if err != nil {
				t.Fatal(err)
			}
			part.Write([]byte(polymers(12)))
		}
		w.Close()
		r := apitest.Request{Method: http.MethodPost, Path: "/v1/datasets", Header: map[string]string{"Content-Type": w.FormDataContentType()}, Body: form.String()}
		if resp, body := r.Send(t, b.url); resp.StatusCode != want {
			t.Errorf("%d files: %d %s", n, resp.StatusCode, body)
		}
	}
}

func TestQuality(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]float64{
		"": 0, "*/*": 0, "text/csv": 1, "text/csv;q=0": 0, "text/html, text/csv;q=0.5": 0.5, "text/csv; q=x": 0, "TEXT/CSV": 1,
	} {
		if have := quality(accept, "text/csv"); have != want {
			t.Errorf("%q likes text/csv %v, want %v", accept, have, want)
		}
	}
}

// A stream begins after the event that ?after= names, and is refused where a
// token has too many.
func TestStreamAfter(t *testing.T) {
	b := newBench(t, func(_ *TrainingJobs, c *Config) { c.Limits.Streams = 1 })
	id := b.job()
	b.update(id, func(j *jobs.Job) error { return j.Cancel(noon) })
	j, err := b.store.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]string{"Accept": "text/event-stream"}
	path := "/v1/training-jobs/" + id + "/events"
	_, text := apitest.Request{Path: path + "?after=" + j.Events[0].ID, Header: events}.Send(t, b.url)
	if strings.Contains(string(text), "event: training_job.created") || !strings.Contains(string(text), "event: training_job.cancelled") {
		t.Errorf("after the first event the stream is %s", text)
	}
	resp, _ := apitest.Request{Path: path + "?after=" + j.Events[1].ID, Header: events}.Send(t, b.url)
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("after the last event it answers %d", resp.StatusCode)
	}
	if resp, _ := (apitest.Request{Path: path, Header: map[string]string{"Accept": "text/event-stream;q=0, application/json"}}).Send(t, b.url); resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("with q=0 it is %s", resp.Header.Get("Content-Type"))
	}
	running := b.job()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/training-jobs/"+running+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	open, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Body.Close()
	apitest.Request{Path: "/v1/training-jobs/" + running + "/events", Header: events}.Problem(t, b.url, http.StatusTooManyRequests, "rate_limited")
}

// A session that has logged out is over, at every replica, though its cookie has
// not expired.
func TestLogout(t *testing.T) {
	bucket := newBucket(t)
	now := func() time.Time { return noon }
	ring := keyring("ann", "annann")
	var urls []string
	for range 2 {
		urls = append(urls, serve(t, Config{Now: now, Tokens: ring, Sessions: NewSessions(bucket, now)}, &Usage{}).URL)
	}
	first, _ := ring.NewSession("annann", noon.Add(time.Hour))
	second, _ := ring.NewSession("annann", noon.Add(time.Hour))
	status := func(url, cookie string) int {
		resp, _ := apitest.Request{Path: "/openapi.json", Header: map[string]string{"Cookie": sessionCookie + "=" + cookie}}.Send(t, url)
		return resp.StatusCode
	}
	if have := status(urls[0], first); have != http.StatusOK {
		t.Fatalf("logged in it answers %d", have)
	}
	apitest.Request{Method: http.MethodPost, Path: "/logout", Header: map[string]string{"Cookie": sessionCookie + "=" + first}}.Send(t, urls[0])
	for _, url := range urls {
		if have := status(url, first); have != http.StatusUnauthorized {
			t.Errorf("logged out it answers %d", have)
		}
	}
	if have := status(urls[0], second); have != http.StatusOK {
		t.Errorf("another session answers %d", have)
	}
}

// Without tokens a page of another site gets nothing, though its GETs carry no
// Origin.
func TestCrossSiteGet(t *testing.T) {
	b := newBench(t, nil)
	for site, want := range map[string]int{"": 200, "none": 200, "same-origin": 200, "cross-site": 403, "same-site": 403} {
		resp, _ := apitest.Request{Path: "/v1/training-jobs", Header: map[string]string{"Sec-Fetch-Site": site}}.Send(t, b.url)
		if resp.StatusCode != want {
			t.Errorf("Sec-Fetch-Site %q answers %d, want %d", site, resp.StatusCode, want)
		}
	}
}
