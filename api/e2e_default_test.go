package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"polyid-trainer/jobs"
)

// sink receives webhooks and verifies each with the specification's own library.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string][]string // by webhook-id, all that came
	types  []string            // of each id's first, in order
	bad    []error
}

// newSink verifies with the secret that key gives once it is known.
func newSink(t *testing.T, key func() string) *sink {
	t.Helper()
	s := &sink{bodies: map[string][]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender was killed
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		verifier, err := standardwebhooks.NewWebhook(key())
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		if err != nil {
			s.bad = append(s.bad, err)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		var event struct{ Type string }
		if err := json.Unmarshal(body, &event); err != nil {
			s.bad = append(s.bad, err)
		}
		id := r.Header.Get("webhook-id")
		if s.bodies[id] == nil {
			s.types = append(s.types, event.Type)
		}
		s.bodies[id] = append(s.bodies[id], string(body))
	}))
	t.Cleanup(s.Close)
	return s
}

// secretOf is the secret that a service has made.
func secretOf(s *service) string {
	b, err := os.ReadFile(filepath.Join(s.dir, "webhook-secret"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// count is how many events of a type came, each counted once.
func (s *sink) count(typ string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.types {
		if t == typ {
			n++
		}
	}
	return n
}

// check fails the test if a webhook was not signed, or came with two bodies
// under one id.
func (s *sink) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range s.bad {
		t.Errorf("a webhook that cannot be verified: %v", err)
	}
	for id, bodies := range s.bodies {
		if len(slices.Compact(slices.Clone(bodies))) != 1 {
			t.Errorf("%s came with several bodies: %q", id, bodies)
		}
	}
}

// TestDefaultPath is the service as it comes: one POST trains, publishes, tells,
// and the published revision predicts.
func TestDefaultPath(t *testing.T) {
	s := newService(t, "WEBHOOK_ALLOW_PRIVATE=1")
	hooks := newSink(t, func() string { return secretOf(s) })
	file := filepath.Join(t.TempDir(), "job.json")
	spec := small(4, `, "webhook": {"url": "`+hooks.URL+`"}, "publish": {"tag": "v1.0.0"}`)
	if err := os.WriteFile(file, spec, 0o600); err != nil {
		t.Fatal(err)
	}

	out, errs := command(t, 0, "", "train", "--server", s.url, "--watch", file)
	for _, want := range []string{"Tg", "Tm", "MAE", "°C"} {
		if !strings.Contains(out, want) {
			t.Errorf("train wrote %q, want %q in it", out, want)
		}
	}
	for _, want := range []string{"succeeded", "fold 2: epoch 4 of 4", "published as polyid/polyid-models"} {
		if !strings.Contains(errs, want) {
			t.Errorf("train told %q, want %q in it", errs, want)
		}
	}

	var list struct{ Data []*jobs.View }
	s.call("GET", "/v1/training-jobs", "", &list)
	if len(list.Data) != 1 {
		t.Fatalf("there are %d jobs, want 1", len(list.Data))
	}
	v := list.Data[0]
	if v.Published == nil || v.Published.Tag == nil || *v.Published.Tag != "v1.0.0" || len(v.Published.Commit) != 40 {
		t.Errorf("published as %+v", v.Published)
	}
	until(t, "the last webhook", func() bool { return hooks.count("training_job.succeeded") == 1 })
	for typ, want := range map[string]int{
		"training_job.created": 1, "training_job.started": 1, "training_job.fold_started": 3, "training_job.fold_finished": 3,
		"training_job.finalizing": 1, "training_job.published": 1, "training_job.epoch": 0, "training_job.failed": 0,
	} {
		until(t, typ, func() bool { return hooks.count(typ) >= want })
		if got := hooks.count(typ); got != want {
			t.Errorf("%d webhooks of %s, want %d", got, typ, want)
		}
	}
	hooks.check(t)

	in := "name,smiles_repeat_unit\nPLA,*OC(C)C(=O)*\nnonsense,C(C\nPHB,*OC(C)CC(=O)*\n"
	out, errs = command(t, 0, in, "predict", "--server", s.url, "--revision", "v1.0.0", "-")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("predict wrote %q, %v", out, err)
	}
	column := func(name string) int {
		i := slices.Index(rows[0], name)
		if i < 0 {
			t.Fatalf("there is no column %s in %q", name, rows[0])
		}
		return i
	}
	for i, ok := range []bool{true, false, true} {
		row := rows[i+1]
		if row[0] != []string{"PLA", "nonsense", "PHB"}[i] || (row[column("Tg_pred_mean")] != "") != ok || (row[column("error")] == "") != ok {
			t.Errorf("row %d is %q", i, row)
		}
	}
	if !strings.Contains(errs, "2 of 3 polymers") || !strings.Contains(errs, v.Published.Commit[:10]) {
		t.Errorf("predict told %q", errs)
	}
	_, errs = command(t, 1, in, "predict", "--server", s.url, "--revision", "v9.9.9", "-")
	if !strings.Contains(errs, "v9.9.9") {
		t.Errorf("of a revision that is not there, predict told %q", errs)
	}

	if code := s.stop(); code != 0 {
		t.Errorf("told to stop, it exits with %d", code)
	}
	for _, text := range []string{s.out.String(), s.errs.String()} {
		if strings.Contains(text, secretOf(s)) {
			t.Error("the webhook secret was written to the output")
		}
		if strings.Contains(text, "level=ERROR") {
			t.Errorf("errors were logged:\n%s", text)
		}
	}
}

// A job that cannot be is refused with everything that is wrong with it, and
// nothing of it is left.
func TestBadJobs(t *testing.T) {
	s := newService(t)
	before := objects(t, s)
	for name, c := range map[string]struct {
		body     string
		pointers []string
	}{
		"several at once": {`{"dataset":"stereopolymer_input_nopush","kfolds":1,"epochs":0,"learning_rate":-1,"model":{"dropout":2},
			"publish":{"repo":"no slash"},"webhook":{"url":"ftp://x"}}`, []string{"/kfolds", "/learning_rate", "/model/dropout", "/publish/repo", "/webhook/url"}},
		"unknown column":  {`{"dataset":"stereopolymer_input_nopush","prediction_columns":["Tg","Tx"]}`, []string{"/prediction_columns/1"}},
		"unknown dataset": {`{"dataset":"no_such_table"}`, []string{"/dataset"}},
		"no dataset":      {`{}`, []string{"/dataset"}},
	} {
		var p struct {
			Status int
			Code   string
			Errors []jobs.Problem
		}
		if status := s.call("POST", "/v1/training-jobs", c.body, &p); status != 422 {
			t.Errorf("%s: %d %+v, want 422", name, status, p)
			continue
		}
		for _, pointer := range c.pointers {
			if !slices.ContainsFunc(p.Errors, func(p jobs.Problem) bool { return strings.HasPrefix(p.Pointer, pointer) }) {
				t.Errorf("%s: nothing is said of %s in %+v", name, pointer, p.Errors)
			}
		}
	}
	for _, body := range []string{`{"dataset":`, `{"dataset":"stereopolymer_input_nopush","epocs":3}`} {
		if status := s.call("POST", "/v1/training-jobs", body, nil); status != 400 && status != 422 {
			t.Errorf("%s: %d, want 400 or 422", body, status)
		}
	}
	var list struct{ Data []*jobs.View }
	if s.call("GET", "/v1/training-jobs", "", &list); len(list.Data) != 0 {
		t.Errorf("%d jobs were made", len(list.Data))
	}
	if after := objects(t, s); !slices.Equal(before, after) {
		t.Errorf("left behind: %q", after)
	}
}

// objects lists the files of a service's storage.
func objects(t *testing.T, s *service) (names []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.dir, "objects"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, ".bucket") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// With tokens the service may be reached from elsewhere, by those who have one.
func TestTokens(t *testing.T) {
	s := newService(t, "HOST=0.0.0.0", "API_TOKENS=anna:anna-secret,ben:ben-secret")
	if status := s.call("GET", "/v1/training-jobs", "", nil); status != 401 {
		t.Errorf("without a token: %d, want 401", status)
	}
	spec := string(small(1, ""))
	if _, errs := command(t, 1, spec, "train", "--server", s.url, "-"); !strings.Contains(errs, "API_TOKEN") {
		t.Errorf("train without a token told %q", errs)
	}
	t.Setenv("API_TOKEN", "anna-secret")
	if out, _ := command(t, 0, spec, "train", "--server", s.url, "--watch", "-"); !strings.Contains(out, "Tg") {
		t.Errorf("train wrote %q", out)
	}
	if out, _ := command(t, 0, "smiles_repeat_unit\n*OC(C)C(=O)*\n", "predict", "--server", s.url, "-"); !strings.Contains(out, "Tg_pred_mean") {
		t.Errorf("predict wrote %q", out)
	}
	s.stop()
	if text := s.out.String() + s.errs.String(); strings.Contains(text, "anna-secret") || !strings.Contains(text, "anna, ben") {
		t.Errorf("the service tells\n%s", text)
	}
}

// Pause, resume and cancel while folds train: at once, again without harm, and
// refused where they make no sense.
func TestControl(t *testing.T) {
	s := newService(t)
	v := s.submit(small(2000, ""))
	s.trains(v.ID)
	for range 2 {
		if status := s.move(v.ID, "pause"); status != 200 {
			t.Fatalf("pause: %d", status)
		}
	}
	v = s.reaches(v.ID, "all folds to stop", func(v *jobs.View) bool {
		return v.Status == jobs.Paused && !slices.ContainsFunc(v.Folds, func(f jobs.FoldView) bool { return f.Status == jobs.FoldRunning })
	})
	done := v.Progress.EpochsDone
	for range 2 {
		if status := s.move(v.ID, "resume"); status != 200 {
			t.Fatalf("resume: %d", status)
		}
	}
	v = s.reaches(v.ID, "the folds to go on", func(v *jobs.View) bool { return v.Progress.EpochsDone > done })
	if !slices.ContainsFunc(v.Folds, func(f jobs.FoldView) bool { return f.ResumedFrom > 0 }) {
		t.Error("no fold went on from a checkpoint")
	}
	for range 2 {
		if status := s.move(v.ID, "cancel"); status != 200 {
			t.Fatalf("cancel: %d", status)
		}
	}
	until(t, "all folds to be cancelled", func() bool {
		return !slices.ContainsFunc(s.job(v.ID).Folds, func(f jobs.FoldView) bool { return f.Status != jobs.FoldCancelled })
	})
	for _, action := range []string{"pause", "resume", "publish"} {
		if status := s.move(v.ID, action); status != 409 {
			t.Errorf("%s of a cancelled job: %d, want 409", action, status)
		}
	}
	if status := s.move(jobs.NewID(jobs.TrainingJobPrefix), "cancel"); status != 404 {
		t.Errorf("cancel of no job: %d, want 404", status)
	}

	v = s.succeeds(s.submit(small(1, "")).ID)
	for _, action := range []string{"pause", "resume", "cancel"} {
		if status := s.move(v.ID, action); status != 409 {
			t.Errorf("%s of a job that has succeeded: %d, want 409", action, status)
		}
	}
	if status := s.call("DELETE", "/v1/training-jobs/"+v.ID, "", nil); status != 204 {
		t.Errorf("DELETE of it: %d, want 204", status)
	}
	if status := s.call("GET", "/v1/training-jobs/"+v.ID, "", nil); status != 404 {
		t.Errorf("GET of what was deleted: %d, want 404", status)
	}
}

// A service that is backed up in the middle of a job goes on with it elsewhere.
func TestMove(t *testing.T) {
	s := newService(t)
	published := s.succeeds(s.submit(small(1, "")).ID)
	v := s.submit(small(100, ""))
	s.trains(v.ID)
	archive := filepath.Join(t.TempDir(), "b.tar.gz")
	if _, errs := command(t, 1, "", "backup", "--data-dir", s.dir, archive); !strings.Contains(errs, "another process uses") {
		t.Errorf("backup of a running service told %q", errs)
	}
	if code := s.stop(); code != 0 {
		t.Fatalf("stopped with %d", code)
	}
	command(t, 0, "", "backup", "--data-dir", s.dir, archive)
	other := filepath.Join(t.TempDir(), "elsewhere")
	command(t, 0, "", "restore", "--data-dir", other, archive)
	s.env = append(s.env, "DATA_DIR="+other)
	s.start(t)
	moved := s.succeeds(v.ID)
	if !slices.ContainsFunc(moved.Folds, func(f jobs.FoldView) bool { return f.ResumedFrom > 0 }) {
		t.Error("no fold went on from its checkpoint")
	}
	if len(s.model(published, 0)) == 0 {
		t.Error("the Hub has lost a revision")
	}
}
