package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/storage/hub"
)

// The hostile suite starts the real process with little address space and sends it
// what attackers and broken clients send. Whatever comes, the process lives,
// answers within hostileAnswer, never says that the fault is its own, and releases
// the memory. The attacks stand in hostile_*_test.go by what they attack.

const (
	hostileSpace  = 6 << 30 // bytes of address space; an idle api maps 2.3 GB
	hostileAnswer = 5 * time.Second
	hostileKept   = 200 << 20       // bytes of resident memory more than before, in the end
	hostileReturn = 3 * time.Minute // within which the memory is released
)

// attack is one hostile request.
type attack struct {
	name         string
	method, path string
	header       []string      // name, value, name, value…
	body         func() []byte // made before the clock starts; nil is none
	// slow is of a table that is accepted: reading it may take longer.
	slow bool
	// raw plays what is no single request over a connection of its own.
	raw func(ctx context.Context, address string) error
}

// post is an attack by a body of JSON.
func post(name, path string, body func() []byte) attack {
	return attack{name: name, method: http.MethodPost, path: path, header: []string{"Content-Type", "application/json"}, body: body}
}

func text(s string) func() []byte { return func() []byte { return []byte(s) } }

// repeated is a body of a unit that fills size bytes between two ends.
func repeated(before, unit string, size int, after string) func() []byte {
	return func() []byte {
		return []byte(before + strings.Repeat(unit, size/len(unit)) + after)
	}
}

// besieged is a service under attack.
type besieged struct {
	*service
	before int64 // bytes of resident memory
}

// besiege starts an api with hostileSpace, and a Hub repository to attack.
func besiege(t *testing.T, env ...string) *besieged {
	t.Helper()
	end2end(t)
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("needs /proc and ulimit")
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs sh and its ulimit")
	}
	b := &besieged{service: newServiceBy(t, func(program string) (string, []string) {
		return shell, []string{"-c", fmt.Sprintf("ulimit -v %d && exec %q serve", hostileSpace>>10, program)}
	}, env...)}
	if status := b.call("POST", "/hub/api/repos/create", `{"name":"acme/tg"}`, nil); status != 200 {
		t.Fatalf("a repository to attack: %d", status)
	}
	b.publish()
	b.works("before the attacks")
	b.before = b.resident()
	return b
}

// publish commits a model to predict with.
func (b *besieged) publish() {
	b.t.Helper()
	h, err := hub.New(hub.Config{Endpoint: b.url + "/hub", CacheDir: b.t.TempDir()})
	if err != nil {
		b.t.Fatal(err)
	}
	const repo = "polyid/polyid-models"
	if err := h.EnsureRepo(b.t.Context(), repo, false); err != nil {
		b.t.Fatal(err)
	}
	var add []hub.File
	for path, body := range revisiontest.TinyFiles(b.t, 2, 1) {
		add = append(add, hub.Bytes(path, body))
	}
	if _, err := h.Commit(b.t.Context(), repo, "main", hub.Commit{Summary: "trained", Add: add}); err != nil {
		b.t.Fatal(err)
	}
	if status := b.call("POST", "/v1/models/promote", `{"revision":"main","to":"v1.0.0"}`, nil); status != 200 { // which has it loaded
		b.t.Fatalf("promoting the model: %d", status)
	}
	until(b.t, "the model to be loaded", func() bool {
		return b.call("POST", "/v1/predictions", `{"inputs":[{"smiles_polymer":"CCO"}]}`, nil) == http.StatusAccepted
	})
}

// works holds that the service does what it is for.
func (b *besieged) works(when string) {
	b.t.Helper()
	for _, ask := range []struct{ method, path, body string }{
		{"GET", "/readyz", ""}, {"POST", "/v1/training-jobs/estimate", string(small(1, ""))}, {"GET", "/hub/acme/tg", ""}, {"GET", "/jobs", ""},
	} {
		if status := b.call(ask.method, ask.path, ask.body, nil); status != 200 {
			b.t.Errorf("%s %s answers %d", when, ask.path, status)
		}
	}
}

// resident is the process' resident memory in bytes.
func (b *besieged) resident() int64 {
	b.t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		b.t.Fatalf("the process is gone: %v", err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if rest, ok := strings.CutPrefix(in.Text(), "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				b.t.Fatal(err)
			}
			return kb << 10
		}
	}
	b.t.Fatal("no VmRSS in /proc: the process is gone")
	return 0
}

// play makes an attack and holds what must hold of any.
func (b *besieged) play(a attack) {
	b.t.Helper()
	var body []byte
	if a.body != nil {
		body = a.body()
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	began := time.Now()
	var (
		status int
		answer string
		err    error
	)
	if a.raw != nil {
		err = a.raw(ctx, strings.TrimPrefix(b.url, "http://"))
	} else {
		status, answer, err = b.send(ctx, a, body)
	}
	took := time.Since(began)
	select {
	case <-b.done:
		b.t.Fatalf("%s: the process died of it", a.name)
	default:
	}
	switch {
	case err != nil:
		b.t.Errorf("%s: %v", a.name, err)
	case status >= 500 && !strings.Contains(answer, `"code":"model_not_loaded"`): // which the contract has for a model that cannot be read
		b.t.Errorf("%s: %d %.300s", a.name, status, answer)
	case took > hostileAnswer && !(a.slow && status < 300):
		b.t.Errorf("%s: %d after %s", a.name, status, took.Round(time.Millisecond))
	}
	if testing.Verbose() {
		b.t.Logf("%-60.60s %4d %8s %5d MB  %.160q", a.name, status, took.Round(time.Millisecond), b.resident()>>20, answer)
	}
	if status == http.StatusAccepted || status == http.StatusOK || status == http.StatusCreated {
		b.cancel(answer)
	}
}

// cancel ends the job that an answer tells of, so that it does not train.
func (b *besieged) cancel(answer string) {
	if _, rest, ok := strings.Cut(answer, `"id":"tj_`); ok {
		if id, _, ok := strings.Cut(rest, `"`); ok {
			b.move("tj_"+id, "cancel")
		}
	}
}

// send makes a request. A server that answers before it has read the body may
// close the connection, which counts as an answer where one came.
func (b *besieged) send(ctx context.Context, a attack, body []byte) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, a.method, b.url+a.path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(a.header); i += 2 {
		req.Header.Set(a.header[i], a.header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "write" { // closed while we were sending
			return http.StatusRequestEntityTooLarge, "", nil
		}
		return 0, "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	return res.StatusCode, string(got), err
}

// recovered holds that the service works and has released the memory.
func (b *besieged) recovered() {
	b.t.Helper()
	b.works("in the end")
	deadline := time.After(hostileReturn)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		now := b.resident()
		if now <= b.before+hostileKept {
			b.t.Logf("%d MB resident before, %d MB in the end", b.before>>20, now>>20)
			return
		}
		select {
		case <-deadline:
			b.t.Fatalf("%d MB resident before, %d MB %s after", b.before>>20, now>>20, hostileReturn)
		case <-tick.C:
		}
	}
}

// TestHostile plays what takes little time to make and to send.
func TestHostile(t *testing.T) {
	b := besiege(t)
	n := 0
	for _, attacks := range [][]attack{hubAttacks(), tableAttacks(), specAttacks(t, b), wireAttacks()} {
		for _, a := range attacks {
			b.play(a)
			n++
		}
	}
	t.Logf("%d attacks", n)
	b.recovered()
}

// TestLongHostile plays what is large.
func TestLongHostile(t *testing.T) {
	long(t)
	for name, attacks := range map[string]func(t *testing.T, b *besieged) []attack{
		"tables": func(*testing.T, *besieged) []attack { return largeTableAttacks() },
		"specs":  largeSpecAttacks,
		"hub":    func(*testing.T, *besieged) []attack { return largeHubAttacks() },
		"models": modelAttacks,
		"slow":   func(*testing.T, *besieged) []attack { return slowAttacks() },
	} {
		t.Run(name, func(t *testing.T) {
			b := besiege(t)
			all := attacks(t, b)
			for _, a := range all {
				b.play(a)
			}
			t.Logf("%d attacks", len(all))
			b.recovered()
		})
	}
}
