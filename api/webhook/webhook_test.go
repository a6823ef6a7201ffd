package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage/file"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// bench is a receiver, and a job whose webhooks go there.
type bench struct {
	*testing.T
	store    *records.Store
	job      string
	now      time.Time
	outcomes []string
	n        *Notifier

	mu       sync.Mutex
	answer   http.HandlerFunc // nil is 204
	received []delivery
}

type delivery struct {
	header http.Header
	body   []byte
}

func newBench(t *testing.T, url string) *bench {
	t.Helper()
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, store: records.New(bucket), now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	if url == "" {
		url = s.URL + "/hook?token=hidden"
	}
	spec := jobs.DefaultSpec()
	spec.Dataset, spec.Webhook = data.Names{"x"}, &jobs.Webhook{URL: strings.ReplaceAll(url, "PORT", s.URL[strings.LastIndex(s.URL, ":")+1:])}
	j, err := jobs.New(b.now, "tester", spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	b.job = j.ID
	b.n = b.notifier(Config{AllowPrivate: true})
	return b
}

func (b *bench) notifier(c Config) *Notifier {
	b.Helper()
	c.Store, c.Secret, c.Log = b.store, secret, slog.New(slog.DiscardHandler)
	c.Now = func() time.Time { return b.now }
	c.Observe = func(outcome string) { b.outcomes = append(b.outcomes, outcome) }
	n, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// ServeHTTP is the receiver.
func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.mu.Lock()
	b.received = append(b.received, delivery{r.Header.Clone(), body})
	answer := b.answer
	b.mu.Unlock()
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, r)
}

// needed is what the job's record calls for now.
func (b *bench) needed() []jobs.Task {
	b.Helper()
	j, err := b.store.Job(b.Context(), b.job)
	if err != nil {
		b.Fatal(err)
	}
	var tasks []jobs.Task
	for _, t := range jobs.Needed(b.now, j, nil) {
		if t.Kind == jobs.Notify {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// try works off the one delivery that is due, and returns it.
func (b *bench) try() jobs.Delivery {
	b.Helper()
	tasks := b.needed()
	if len(tasks) != 1 {
		b.Fatalf("%d deliveries are due", len(tasks))
	}
	if err := b.n.Handle(b.Context(), tasks[0]); err != nil {
		b.Fatal(err)
	}
	return b.delivery()
}

func (b *bench) delivery() jobs.Delivery {
	b.Helper()
	j, err := b.store.Job(b.Context(), b.job)
	if err != nil {
		b.Fatal(err)
	}
	return j.Deliveries[0]
}

// What arrives is the frozen body, signed, under the same id at every try.
func TestDelivery(t *testing.T) {
	b := newBench(t, "")
	b.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	first := b.try()
	if first.Delivered || first.NextAttemptAt == nil || len(first.Attempts) != 1 || first.Attempts[0].Status != 503 {
		t.Fatalf("after a 503: %+v", first)
	}
	if tasks := b.needed(); len(tasks) != 0 {
		t.Errorf("tried again at once: %v", tasks)
	}
	b.now, b.answer = *first.NextAttemptAt, nil
	second := b.try()
	if !second.Delivered || second.NextAttemptAt != nil || len(second.Attempts) != 2 || second.Attempts[1].Status != 204 {
		t.Fatalf("after a 204: %+v", second)
	}
	frozen, err := b.store.WebhookBody(t.Context(), b.job, second.WebhookID)
	if err != nil {
		t.Fatal(err)
	}
	check, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range b.received {
		if string(r.body) != string(frozen) {
			t.Errorf("try %d brought another body: %s", i, r.body)
		}
		if id := r.header.Get("webhook-id"); id != second.WebhookID {
			t.Errorf("try %d has id %s", i, id)
		}
		if err := check.VerifyIgnoringTimestamp(r.body, r.header); err != nil {
			t.Errorf("try %d: %v", i, err)
		}
		if at := r.header.Get("webhook-timestamp"); at != fmt.Sprint(second.Attempts[i].Time.Unix()) {
			t.Errorf("try %d is of %s", i, at)
		}
	}
	if got := strings.Join(b.outcomes, " "); got != "refused delivered" {
		t.Errorf("observed %s", got)
	}
}

// A task delivered twice, or late, is no second try.
func TestTwice(t *testing.T) {
	b := newBench(t, "")
	task := b.needed()[0]
	b.try()
	for _, task := range []jobs.Task{task, {Kind: jobs.Notify, Job: b.job, Attempt: 7 << 8}, {Kind: jobs.Notify, Job: jobs.NewID(jobs.TrainingJobPrefix)}} {
		if err := b.n.Handle(t.Context(), task); err != nil {
			t.Error(err)
		}
	}
	if len(b.received) != 1 || len(b.delivery().Attempts) != 1 {
		t.Errorf("it was delivered %d times, %d tries are recorded", len(b.received), len(b.delivery().Attempts))
	}
}

// The schedule is followed to its end, which is at least three days away.
func TestGivesUp(t *testing.T) {
	b := newBench(t, "")
	b.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
	began := b.now
	for {
		d := b.try()
		if d.NextAttemptAt == nil {
			break
		}
		b.now = *d.NextAttemptAt
	}
	if span := b.now.Sub(began); span < 72*time.Hour {
		t.Errorf("it gives up after %s", span)
	}
	d := b.delivery()
	if d.Delivered || len(d.Attempts) != len(waits)+1 || len(b.needed()) != 0 {
		t.Errorf("in the end it is %+v", d)
	}
}

func TestSchedule(t *testing.T) {
	for _, n := range []int{-1, 0, len(waits) + 1, 200} {
		if d, again := Wait(n); again || d != 0 {
			t.Errorf("after try %d: %s, %v", n, d, again)
		}
	}
	total := time.Duration(0)
	for n := 1; n <= len(waits); n++ {
		d, again := Wait(n)
		if again2, _ := Wait(n); !again || d != again2 || n > 1 && d < waits[n-2] {
			t.Errorf("after try %d: %s", n, d)
		}
		total += d
	}
	if total < 72*time.Hour {
		t.Errorf("it spans %s", total)
	}
}

// What every status means: this is the whole table.
func TestJudge(t *testing.T) {
	for status := 100; status < 600; status++ {
		want, outcome := retry, "refused"
		switch {
		case status/100 == 2: // assigned or not
			want, outcome = arrived, "delivered"
		case status == 410:
			want, outcome = ends, "gone"
		}
		if next, observed := judge(status); next != want || observed != outcome {
			t.Errorf("%d %s: %v, %s", status, http.StatusText(status), next, observed)
		}
	}
}

func TestGone(t *testing.T) {
	b := newBench(t, "")
	b.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
	if d := b.try(); d.Delivered || d.NextAttemptAt != nil || d.Attempts[0].Status != 410 {
		t.Errorf("after a 410: %+v", d)
	}
}

// Redirects, endless answers and silence are survived.
func TestHostileReceivers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	quit := make(chan struct{})
	defer close(quit)
	for name, x := range map[string]struct {
		answer http.HandlerFunc
		status int
		error  string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, 307, "307"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, 200, ""},
		"silent": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-quit:
			}
		}, 0, "in time"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "EOF"},
		"headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxAnswer))
		}, 0, "header"},
	} {
		b := newBench(t, "")
		b.answer = x.answer
		b.n = b.notifier(Config{AllowPrivate: true, Timeout: time.Second})
		d := b.try()
		a := d.Attempts[0]
		if a.Status != x.status || !strings.Contains(a.Error, x.error) || strings.Contains(a.Error, "hidden") {
			t.Errorf("%s: %+v", name, a)
		}
		if delivered := x.status == 200; d.Delivered != delivered || (d.NextAttemptAt == nil) != delivered {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// Told to stop in the middle, it has tried nothing.
func TestStop(t *testing.T) {
	b := newBench(t, "")
	ctx, stop := context.WithCancel(t.Context())
	b.answer = func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	}
	if err := b.n.Handle(ctx, b.needed()[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v", err)
	}
	if d := b.delivery(); len(d.Attempts) != 0 || len(b.needed()) != 1 {
		t.Errorf("the delivery is %+v", d)
	}
}

// No name or notation of an address leads inside.
func TestPrivateReceivers(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "127.1.2.3"} {
		b := newBench(t, "http://"+host+":PORT/")
		b.n = b.notifier(Config{})
		d := b.try()
		if d.Delivered || len(b.received) > 0 || d.Attempts[0].Status != 0 || d.NextAttemptAt == nil {
			t.Errorf("%s: %+v", host, d)
		}
		if !strings.Contains(d.Attempts[0].Error, "WEBHOOK_ALLOW_PRIVATE") || b.outcomes[0] != "blocked" {
			t.Errorf("%s: %v, %s", host, b.outcomes, d.Attempts[0].Error)
		}
	}
}

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "100.63.0.1": true, "100.128.0.1": true, "223.255.255.1": true,
		"2606:4700:4700::1111": true, "2a00:1450::1": true, "::ffff:8.8.8.8": true,

		"127.0.0.1": false, "127.255.255.255": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "0.0.0.0": false, "0.1.2.3": false, "255.255.255.255": false,
		"224.0.0.1": false, "239.1.1.1": false, "240.0.0.1": false, "192.0.0.8": false, "192.0.2.1": false, "198.18.0.1": false, "198.51.100.7": false, "203.0.113.9": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false,
		"fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "fc00::1": false, "fd12:3456::1": false, "ff02::1": false, "ff0e::1": false,
		"64:ff9b::7f00:1": false, "64:ff9b:1::a00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "100::1": false, "3fff::1": false, "5f00::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %v", address, got)
		}
	}
	if err := refusePrivate("tcp", "no address", nil); !errors.Is(err, errPrivate) {
		t.Errorf("what cannot be read: %v", err)
	}
	if err := refusePrivate("tcp4", net.JoinHostPort("8.8.8.8", "443"), nil); err != nil {
		t.Error(err)
	}
}

func TestSecret(t *testing.T) {
	for _, secret := range []string{"", "whsec_", "whsec_not base64!"} {
		if _, err := New(Config{Secret: secret}); err == nil || strings.Contains(err.Error(), "not base64!") {
			t.Errorf("%q, a secret that is none: %v", secret, err)
		}
	}
}
