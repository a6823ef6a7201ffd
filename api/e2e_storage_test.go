package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"polyid-trainer/jobs"
)

// unsound stands before an S3 server. One call in three fails, half of those
// after it was carried out; some are slow; and while it is full nothing is
// written.
type unsound struct {
	behind                      http.Handler
	full                        atomic.Bool
	calls, failed, lost, denied atomic.Int64
}

// ServeHTTP implements http.Handler.
func (u *unsound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.calls.Add(1)
	fault := func(status int, code string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>injected</Message></Error>", code)
	}
	switch {
	case u.full.Load() && (r.Method == http.MethodPut || r.Method == http.MethodPost):
		u.denied.Add(1)
		io.Copy(io.Discard, r.Body)
		fault(http.StatusInsufficientStorage, "InsufficientStorage")
		return
	case rand.IntN(6) == 0:
		u.failed.Add(1)
		io.Copy(io.Discard, r.Body)
		fault(http.StatusServiceUnavailable, "SlowDown")
		return
	case rand.IntN(5) == 0:
		u.lost.Add(1)
		u.behind.ServeHTTP(httptest.NewRecorder(), r)
		fault(http.StatusInternalServerError, "InternalError")
		return
	case rand.IntN(10) == 0:
		select {
		case <-time.After(time.Duration(rand.IntN(300)) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
	u.behind.ServeHTTP(w, r)
}

// TestLongUnsoundStorage is the service on an S3 server that fails one call in three,
// is slow, and is full for a while. What cannot be written is refused, and
// nothing half-written is read: the job goes on, and ends with the bits of one on
// sound storage.
func TestLongUnsoundStorage(t *testing.T) {
	long(t)
	end2end(t)
	redis := redisProgram(t)
	storage, env := startS3(t)
	i := slices.IndexFunc(env, func(v string) bool { return strings.HasPrefix(v, "AWS_ENDPOINT_URL_S3=") })
	_, endpoint, _ := strings.Cut(env[i], "=")
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &unsound{behind: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	front := httptest.NewServer(proxy)
	defer front.Close()
	env[i] = "AWS_ENDPOINT_URL_S3=" + front.URL
	address := freeAddress(t)
	startRedis(t, redis, address)
	env = append(env, "REDIS_URL=redis://"+address, "STORAGE_URL="+storage)
	s := newService(t, append(env, "WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")...)
	program, err := workerProgram()
	if err != nil {
		t.Fatal(err)
	}
	start(t, program, append([]string{"CONCURRENCY=3", "CHECKPOINT_SECONDS=1"}, env...)) // with leases as they are in use

	v := s.submit(small(80, ""))
	s.trains(v.ID)
	proxy.full.Store(true)
	var p struct{ Code, Detail string }
	if status := s.call("POST", "/v1/training-jobs", string(small(1, "")), &p); status != 503 || p.Code != "unavailable" || p.Detail == "" {
		t.Errorf("a job asked for while storage is full: %d %+v, want 503 unavailable", status, p)
	}
	denied := proxy.denied.Load()
	until(t, "the worker to be refused, too", func() bool { return proxy.denied.Load() > denied+10 })
	if got := s.job(v.ID); got.Status != jobs.Training {
		t.Errorf("while storage is full the job is %s: %+v", got.Status, got.Error)
	}
	proxy.full.Store(false)
	v = s.succeeds(v.ID)
	var list struct{ Data []*jobs.View }
	if s.call("GET", "/v1/training-jobs", "", &list); len(list.Data) != 1 {
		t.Errorf("there are %d jobs, want the one that was accepted", len(list.Data))
	}

	sound := newService(t)
	calm := sound.succeeds(sound.submit(small(80, "")).ID)
	for fold := range 3 {
		if string(s.model(v, fold)) != string(sound.model(calm, fold)) {
			t.Errorf("fold %d has not the bits of one on sound storage", fold)
		}
	}
	t.Logf("%d calls: %d failed, %d carried out and failed, %d refused for want of space; attempts of the folds: %d %d %d",
		proxy.calls.Load(), proxy.failed.Load(), proxy.lost.Load(), proxy.denied.Load(), v.Folds[0].Attempt, v.Folds[1].Attempt, v.Folds[2].Attempt)
	if proxy.failed.Load() == 0 || proxy.lost.Load() == 0 || proxy.denied.Load() == 0 {
		t.Error("nothing failed: this test has shown nothing")
	}
}
