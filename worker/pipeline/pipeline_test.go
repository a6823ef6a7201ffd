package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/records"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/worker/pipeline"
)

// queue is a jobs.Queue in memory that refuses no task.
type queue struct {
	mu    sync.Mutex
	tasks []jobs.Task
}

func (q *queue) Enqueue(_ context.Context, t jobs.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, t)
	return nil
}

func (q *queue) pop() (t jobs.Task, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return t, false
	}
	t, q.tasks = q.tasks[0], q.tasks[1:]
	return t, true
}

// plant is a pipeline on a storage of its own, with the records and the queue.
type plant struct {
	*testing.T
	*pipeline.Pipeline
	dir   string
	queue *queue
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	dir := t.TempDir()
	b, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	q := &queue{}
	return &plant{t, &pipeline.Pipeline{
		Store: records.New(b), Queue: q, Bucket: b, NewEngine: cpu.New, Worker: "a:1", Code: "test", CostPerHour: 3.6,
		Every: time.Hour, HeartbeatEvery: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}, dir, q}
}

// spec is a job that takes some tenths of a second.
func spec() jobs.Spec {
	s := jobs.DefaultSpec()
	s.Dataset = data.Names{"stereopolymer_input_nopush"}
	s.KFolds, s.Epochs, s.LearningRate = 2, 2, 1e-3
	s.Model = small
	return s.WithDefaults()
}

// table is the first rows of PolyID's, as the API leaves it.
func table(t *testing.T, rows int) *data.Table {
	t.Helper()
	d, _ := data.Shipped("stereopolymer_input_nopush")
	sheet := *d.Sheet()
	sheet.Rows = sheet.Rows[:rows]
	out, _, err := data.Parse(t.Context(), []*data.Sheet{&sheet}, data.Columns{Targets: []string{"Tg", "Tm"}}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask makes a job of a table, as the API does.
func (p *plant) ask(s jobs.Spec, key func(string) string, table *data.Table) *jobs.Job {
	p.Helper()
	j, err := jobs.New(time.Now(), "tester", s)
	if err != nil {
		p.Fatal(err)
	}
	p.write(key(j.ID), table)
	if err := p.Store.Create(p.Context(), j); err != nil {
		p.Fatal(err)
	}
	return j
}

func (p *plant) write(key string, table *data.Table) {
	p.Helper()
	var b bytes.Buffer
	if err := table.WriteCSV(&b); err != nil {
		p.Fatal(err)
	}
	if _, err := p.Bucket.Put(p.Context(), key, bytes.NewReader(b.Bytes()), int64(b.Len()), storage.IfAbsent()); err != nil {
		p.Fatal(err)
	}
}

func (p *plant) job(id string) *jobs.Job {
	p.Helper()
	j, err := p.Store.Job(p.Context(), id)
	if err != nil {
		p.Fatal(err)
	}
	return j
}

// run works off the queue, each task as often as times says, starting with what
// the job needs.
func (p *plant) run(id string, times int) {
	p.Helper()
	for _, t := range p.needed(id) {
		p.Queue.Enqueue(p.Context(), t)
	}
	for {
		t, ok := p.queue.pop()
		if !ok {
			return
		}
		if t.Kind == jobs.Publish {
			continue
		}
		for range times {
			if err := p.Handle(p.Context(), t); err != nil {
				p.Fatalf("%s: %v", t.ID(), err)
			}
		}
	}
}

func (p *plant) needed(id string) []jobs.Task {
	p.Helper()
	folds, err := p.Store.Folds(p.Context(), id)
	if err != nil {
		p.Fatal(err)
	}
	return jobs.Needed(time.Now(), p.job(id), folds)
}

// revision opens what finalizing left.
func (p *plant) revision(id string) (*revision.Revision, fs.FS) {
	p.Helper()
	dir := fsOf(p.dir, id)
	r, err := revision.Open(dir)
	if err != nil {
		p.Fatal(err)
	}
	return r, dir
}

// scored is how many values of the first target the folds left predictions of,
// and how far these are off.
func (p *plant) scored(id string, folds int) (n int, mae float64) {
	p.Helper()
	for k := range folds {
		o, err := p.Bucket.Get(p.Context(), keys.Scored(id, k))
		if err != nil {
			p.Fatal(err)
		}
		var s pipeline.Scored
		if err := errors.Join(json.NewDecoder(o).Decode(&s), o.Close()); err != nil {
			p.Fatal(err)
		}
		for _, r := range s.Data {
			if d := math.Abs(float64(r.Measured[0] - r.Predicted[0])); !math.IsNaN(d) {
				n, mae = n+1, mae+d
			}
		}
	}
	return n, mae / float64(n)
}

func types(j *jobs.Job) string {
	var all []string
	for _, e := range j.Events {
		all = append(all, strings.TrimPrefix(string(e.Type), "training_job."))
	}
	return strings.Join(all, " ")
}

// A job goes from its table to a revision that can be opened, and it makes no
// difference that every task is delivered twice.
func TestPipeline(t *testing.T) {
	t.Parallel()
	var models [2][]byte
	for i, times := range []int{1, 2} {
		p := newPlant(t)
		s := spec()
		s.Holdout = &data.Holdout{Fraction: 0.2}
		j := p.ask(s, keys.Dataset, table(t, 60))
		p.run(j.ID, times)
		j = p.job(j.ID)
		if j.State != jobs.Publishing || j.Stage.Token != "" {
			t.Fatalf("the job is %s (%+v)", j.State, j.Failure)
		}
		if e := types(j); e != "created started fold_started fold_finished fold_started fold_finished finalizing" {
			t.Errorf("events: %s", e)
		}
		r, dir := p.revision(j.ID)
		var m revision.Metrics
		if err := json.Unmarshal(j.Metrics, &m); err != nil {
			t.Fatal(err)
		}
		tg := m.OutOfFold["Tg"]
		if n := j.Data.Folds[0].Validate + j.Data.Folds[1].Validate; tg.Rows == 0 || tg.Rows > n || !(tg.MAE > 0) || !(tg.Baseline > 0) || tg.Units != "°C" {
			t.Errorf("%d validation rows, Tg: %+v", n, tg)
		}
		if n, mae := p.scored(j.ID, 2); n != tg.Rows || math.Abs(mae-float64(tg.MAE)) > 1e-9 {
			t.Errorf("the folds left %d predictions of Tg that are off by %v, the metrics have %d and %v", n, mae, tg.Rows, tg.MAE)
		}
		if h := m.Holdout["Tg"]; h.Rows == 0 || h.Intervals == nil && r.Calibration.Targets[0].HalfWidth != nil {
			t.Errorf("hold-out Tg: %+v", h)
		}
		if len(r.Models) != 2 || r.Domain.Len() == 0 || r.Config.Run.WorkerSeconds <= 0 || r.Config.Run.USD == nil || r.Config.Data.Hash != j.Data.Hash {
			t.Errorf("the revision: %+v", r.Config)
		}
		if !slices.ContainsFunc(j.Warnings, func(w jobs.Warning) bool { return w.Code == "features_ignore_tacticity" }) {
			t.Errorf("warnings: %+v", j.Warnings)
		}
		body, err := fs.ReadFile(dir, revision.ModelPath(1))
		if err != nil {
			t.Fatal(err)
		}
		models[i] = body
		for _, path := range []string{"parameters.pk", "model_fold_1/model_fold_1.h5", "model_fold_0/scaler.pk"} { // Python's
			if _, err := fs.Stat(dir, path); err != nil {
				t.Error(err)
			}
		}
	}
	if !bytes.Equal(models[0], models[1]) {
		t.Error("delivering twice changed the weights")
	}
}

// Without publication the job has succeeded.
func TestOnlyTrain(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	s := spec()
	s.Publish = nil
	j := p.ask(s, keys.Dataset, table(t, 40))
	p.run(j.ID, 1)
	if j = p.job(j.ID); j.State != jobs.Succeeded || j.FinishedAt.IsZero() {
		t.Errorf("the job is %s (%+v)", j.State, j.Failure)
	}
}

// Rows of monomers grow into chains that stay together, and are scored by the
// mean over them; another table is held out.
func TestMonomers(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	s := spec()
	s.Chains.Replicates, s.Chains.DP = 3, 4
	s.Publish.SaveTraining = true
	s.Dataset, s.Holdout = data.Names{"mine"}, &data.Holdout{Dataset: data.Names{"other"}}
	rows := "smiles_polymer,monomers,mechanism,Tg\n"
	for i := range 12 {
		rows += fmt.Sprintf(",%sO.OC(=O)CCCCC(=O)O,ester,%d\n", "OC"+strings.Repeat("C", i), 10*i)
	}
	rows += "CCOC(=O)CCCCC(=O)OCCO,,,17\n"
	mine, _, err := data.Read(t.Context(), strings.NewReader(rows), "mine", data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := data.Read(t.Context(), strings.NewReader("smiles_polymer,Glass_Transition\nCCOC(=O)CCC(=O)OCCO,12\nCCOC(=O)CCCC(=O)OCCO,\nCCOC(=O)CCCCC(=O)OCCO,17\n"),
		"other", data.Columns{}, data.Options{MinValues: 1})
	if err != nil {
		t.Fatal(err)
	}
	j := p.ask(s, keys.Dataset, mine)
	p.write(keys.Holdout(j.ID), other)
	p.run(j.ID, 1)
	if j = p.job(j.ID); j.State != jobs.Publishing {
		t.Fatalf("the job is %s: %+v", j.State, j.Failure)
	}
	if !slices.ContainsFunc(j.Warnings, func(w jobs.Warning) bool {
		return w.Code == "holdout_overlaps" && strings.HasPrefix(w.Detail, "1 of 2")
	}) {
		t.Errorf("warnings: %+v", j.Warnings)
	}
	r, dir := p.revision(j.ID)
	if m := r.Metrics; m.OutOfFold["Tg"].Rows != 13 || m.Holdout["Tg"].Rows != 2 || m.Folds[0].Validate+m.Folds[1].Validate != 13 {
		t.Errorf("metrics %+v", m)
	}
	if c := r.Config.Chains; c.Replicates != 3 || c.DP != 0 || !slices.Equal(c.Notations, []data.Notation{data.Monomers, data.Polymer}) {
		t.Errorf("chains %+v", c)
	}
	if body, err := fs.ReadFile(dir, "parameters.pk"); err != nil || !bytes.Contains(body, []byte("df_input")) {
		t.Errorf("parameters.pk does not hold the training rows: %v", err)
	}
	if body, err := fs.ReadFile(dir, revision.PredictionsPath); err != nil || strings.Count(string(body), "\n") != 1+13+2 || !strings.Contains(string(body), "\n0,holdout,") {
		t.Errorf("predictions: %v\n%s", err, body)
	}
}

// Repeat units are closed to rings where the job asks for it: the revision and
// PolyID's files say so, and how many could not be.
func TestRings(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	s := spec()
	s.Chains.Periodic, s.Publish.SaveTraining = true, true
	rows := "smiles_repeat_unit,Tg\n*N=C1C=CC(=NC2=CC(=O)C(*)=CC2=O)C=C1,90\n" // a ring of it is aromatic
	for i := range 12 {
		rows += fmt.Sprintf("*CC(*)C%sO,%d\n", strings.Repeat("C", i), 10*i)
	}
	table, _, err := data.Read(t.Context(), strings.NewReader(rows), "mine", data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := p.ask(s, keys.Dataset, table)
	p.run(j.ID, 2)
	if j = p.job(j.ID); j.State != jobs.Publishing {
		t.Fatalf("the job is %s: %+v", j.State, j.Failure)
	}
	if !slices.ContainsFunc(j.Warnings, func(w jobs.Warning) bool {
		return w.Code == "rings_not_closed" && strings.HasPrefix(w.Detail, "1 rows")
	}) {
		t.Errorf("warnings: %+v", j.Warnings)
	}
	r, dir := p.revision(j.ID)
	if c := r.Config.Chains; !c.Periodic || c.DP != 18 || c.MaxHeavyAtoms != 1200 || c.EndGroups != "none" {
		t.Errorf("chains %+v", c)
	}
	if body, err := fs.ReadFile(dir, "parameters.pk"); err != nil || !bytes.Contains(body, []byte("periodic")) {
		t.Errorf("parameters.pk does not say what rings are: %v", err)
	}
}

// What cannot be trained on ends the job with the reason, and leaves the claim
// free.
func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	few := func(values int) string {
		s := "smiles_polymer,Tg\n"
		for i := range 20 {
			if s += "C" + strings.Repeat("C", i) + ","; i < values {
				s += fmt.Sprint(i)
			}
			s += "\n"
		}
		return s
	}
	for name, c := range map[string]struct {
		csv    string
		change func(*jobs.Spec)
		code   string
		row    int // -1 for none
	}{
		"three values":        {few(3), nil, "too_few_values", -1},
		"more folds than can": {few(6), func(s *jobs.Spec) { s.KFolds = 7 }, "invalid_split", -1},
		"unknown column":      {few(20), func(s *jobs.Spec) { s.Targets = []string{"Tm"} }, "invalid_dataset", -1},
		"a bad chain":         {few(20) + "C1CC,3\n", nil, "invalid_structure", 20},
		"a bad mechanism":     {strings.Replace(few(20), "smiles_polymer", "monomers", 1), nil, "invalid_dataset", -1},
	} {
		p := newPlant(t)
		s := spec()
		if c.change != nil {
			c.change(&s)
		}
		j, err := jobs.New(time.Now(), "tester", s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Bucket.Put(t.Context(), keys.Dataset(j.ID), strings.NewReader(c.csv), int64(len(c.csv)), storage.IfAbsent()); err != nil {
			t.Fatal(err)
		}
		if err := p.Store.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		p.run(j.ID, 1)
		j = p.job(j.ID)
		if j.State != jobs.Failed || j.Failure.Code != c.code || j.Stage.Token != "" || (c.row >= 0) != (j.Failure.Row != nil) || c.row >= 0 && *j.Failure.Row != c.row {
			t.Errorf("%s: the job is %s: %+v", name, j.State, j.Failure)
		}
	}
}

// fsOf is the revision's files of a job on file storage.
func fsOf(dir, id string) fs.FS {
	return os.DirFS(filepath.Join(dir, filepath.FromSlash(keys.ModelPrefix(id))))
}
