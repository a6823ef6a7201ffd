package redisjobs_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
)

// silent is the address of a server that accepts connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

// Every reason why Redis will not do is told in a sentence.
func TestInspect(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireUserAuth("worker", "right")
	for url, want := range map[string]string{
		"redis://worker:right@" + m.Addr(): "",
		"redis://worker:wrong@" + m.Addr(): "refuses the user or the password",
		"redis://" + m.Addr():              "asks for a password",
		"rediss://" + m.Addr():             "",
		"redis://" + silent(t):             "accepts connections and does not answer",
		"redis://127.0.0.1:1":              "nothing listens",
	} {
		r, err := redisjobs.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		err = redisjobs.Inspect(t.Context(), r)
		r.Close()
		ok := err == nil
		if strings.HasPrefix(url, "rediss:") { // plain Redis under a TLS address: any refusal will do
			ok = err != nil
			want = ""
		} else if want != "" {
			ok = jobs.ErrorCode(err) == jobs.Unavailable && strings.Contains(err.Error(), want)
		}
		if !ok || err != nil && strings.Contains(err.Error(), "wrong") {
			t.Errorf("Inspect(%s) = %v, want %q", url, err, want)
		}
	}
}

// A server of tasks stops soon although Redis never answers.
func TestStopWithSilentRedis(t *testing.T) {
	r, err := redisjobs.Connect("redis://" + silent(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := &redisjobs.Server{Redis: r, Log: quiet, Pools: []redisjobs.Pool{{Kinds: []jobs.Kind{jobs.TrainFold}, Concurrency: 1}},
		Handler: func(context.Context, jobs.Task) error { return nil }}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	began := time.Now()
	stop()
	if err := receive(t, served, "Serve to return"); err != nil {
		t.Logf("Serve = %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it stopped after %s", took)
	}
}
