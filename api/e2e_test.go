package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"polyid-trainer/api/client"
	"polyid-trainer/jobs"
)

// The tests in e2e_*_test.go start the real programs, built once.

// scratch is a directory for as long as the tests run.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "api"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(scratch)
	os.Exit(status)
}

func build(pkg, name string) (string, error) {
	path := filepath.Join(scratch, name)
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

var (
	apiProgram    = sync.OnceValues(func() (string, error) { return build(".", "api") })
	workerProgram = sync.OnceValues(func() (string, error) { return build("../worker", "worker") })
)

// end2end says whether tests with real processes run here.
func end2end(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
}

// long skips a test that takes minutes.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("LONG") == "" {
		t.Skip("takes minutes: set LONG=1")
	}
}

// patience bounds every wait, so that a hang is an error.
const patience = 5 * time.Minute

// until waits for a condition.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
		<-tick.C
	}
}

// process is a program that was started.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  *record
	errs *record
	done chan struct{} // closed when it has ended
}

// record keeps what a process writes.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// start runs a program until the test ends. Its environment is this one's,
// without the service's settings, and env.
func start(t testing.TB, program string, env []string, args ...string) *process {
	t.Helper()
	return startAs(t, nil, program, env, args...)
}

// startAs is start with what else the process is to be.
func startAs(t testing.TB, as *syscall.SysProcAttr, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), out: &record{}, errs: &record{}, done: make(chan struct{})}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "HOST", "PORT", "DATA_DIR", "REDIS_URL", "STORAGE_URL", "HF_ENDPOINT", "HF_TOKEN", "API_TOKENS", "API_TOKEN", "ROLE":
		default:
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.errs
	p.cmd.SysProcAttr = as
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %q wrote\n%s\n%s", filepath.Base(program), args, p.out, p.errs)
		}
	})
	return p
}

func (p *process) kill() {
	p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// stop asks it to end and returns its exit status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	return p.wait()
}

// wait is its exit status once it has ended.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("waited %s for the process to end", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// service is an api process, with what it keeps.
type service struct {
	*process
	dir, url string
	env      []string
	client   *client.Client
	ready    time.Duration // from its start
	// by is the command that serves with a program; nil is the program itself.
	by func(program string) (command string, args []string)
}

// newService starts an api in a directory of its own, with env besides.
func newService(t *testing.T, env ...string) *service {
	t.Helper()
	return newServiceBy(t, nil, env...)
}

// newServiceBy is newService by way of another command.
func newServiceBy(t *testing.T, by func(program string) (string, []string), env ...string) *service {
	t.Helper()
	end2end(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // the same port at every restart
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	s := &service{dir: t.TempDir(), url: "http://" + address, by: by}
	s.env = append([]string{"DATA_DIR=" + s.dir, "PORT=" + port, "CHECKPOINT_SECONDS=0.2", "CONCURRENCY=2"}, env...)
	s.client = newClient(t, s.url)
	s.start(t)
	return s
}

func newClient(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(url, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start starts the process, again if it has ended, and waits until it is ready.
func (s *service) start(t *testing.T) {
	t.Helper()
	program, err := apiProgram()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	command, args := program, []string{"serve"}
	if s.by != nil {
		command, args = s.by(program)
	}
	s.process = start(t, command, s.env, args...)
	until(t, "the api to be ready", func() bool {
		select {
		case <-s.done:
			t.Fatalf("the api ended: %s", s.errs)
		default:
		}
		res, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	s.ready = time.Since(began)
}

// small is a job that trains for a moment: with a tiny network, on the shipped
// table. A fold takes about 50 ms an epoch.
func small(epochs int, more string) []byte {
	return fmt.Appendf(nil, `{"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg", "Tm"], "kfolds": 3, "epochs": %d,
		"model": {"atom_features": 16, "bond_features": 16, "mol_features": 4, "num_messages": 2}%s}`, epochs, more)
}

// submit asks for a job that the service must accept.
func (s *service) submit(spec []byte) *jobs.View {
	s.t.Helper()
	v, err := s.client.Submit(s.t.Context(), spec)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *service) job(id string) *jobs.View {
	s.t.Helper()
	v, err := s.client.Job(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// reaches waits until a job is what met wants, and fails the test if it ends
// otherwise.
func (s *service) reaches(id, what string, met func(*jobs.View) bool) *jobs.View {
	s.t.Helper()
	var v *jobs.View
	until(s.t, what, func() bool {
		v = s.job(id)
		if !met(v) && v.Status.Ended() {
			detail := ""
			if v.Error != nil {
				detail = v.Error.Detail
			}
			s.t.Fatalf("waiting for %s, the job %s: %s", what, v.Status, detail)
		}
		return met(v)
	})
	return v
}

func (s *service) succeeds(id string) *jobs.View {
	s.t.Helper()
	return s.reaches(id, "the job to succeed", func(v *jobs.View) bool { return v.Status == jobs.Succeeded })
}

// trains waits until some fold of a job has finished an epoch.
func (s *service) trains(id string) *jobs.View {
	s.t.Helper()
	return s.reaches(id, "the job to train", func(v *jobs.View) bool { return v.Status == jobs.Training && v.Progress.EpochsDone > 0 })
}

// call makes a request and decodes its answer's JSON, if answer is not nil.
func (s *service) call(method, path, body string, answer any) (status int) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if answer != nil {
		if err := json.Unmarshal(got, answer); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, got)
		}
	}
	return res.StatusCode
}

// move posts to one of a job's actions.
func (s *service) move(id, action string) int {
	s.t.Helper()
	return s.call(http.MethodPost, "/v1/training-jobs/"+id+"/"+action, "", nil)
}

// model is the content of a published fold's model.
func (s *service) model(v *jobs.View, fold int) []byte {
	s.t.Helper()
	res, err := http.Get(fmt.Sprintf("%s/hub/%s/resolve/%s/model_fold_%d/model.safetensors", s.url, v.Published.Repo, v.Published.Commit, fold))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("model of fold %d: %d, %v", fold, res.StatusCode, err)
	}
	return body
}

// command runs one of the api's commands to its end.
func command(t *testing.T, want int, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	program, err := apiProgram()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("api %q: exit status %d, want %d\n%s%s", args, got, want, &out, &errs)
	}
	return out.String(), errs.String()
}
