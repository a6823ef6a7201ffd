package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/training"
	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
	"polyid-trainer/storage/storagetest"
)

// epochs is a history of two targets, of which the second is once missing.
var epochs = []train.Epoch{
	{Epoch: 1, Loss: 0.5, ValLoss: 0.75, ValMAE: []train.Measure{12, train.Measure(math.NaN())}, ValMAEScaled: []train.Measure{1, train.Measure(math.NaN())}, LearningRate: 1e-4, Seconds: 2},
	{Epoch: 2, Loss: 0.25, ValLoss: 0.5, ValMAE: []train.Measure{9, 7}, ValMAEScaled: []train.Measure{0.8, 0.7}, LearningRate: 1e-4, Seconds: 1.5},
}

var tiny = nn.Config{Name: nn.Global100, AtomFeatures: 16, BondFeatures: 16, MolFeatures: 4, NumMessages: 2, Dropout: 0.05}

// model is a network of two targets, with a history if it is a checkpoint.
func model(t *testing.T, history []train.Epoch) []byte {
	t.Helper()
	words, err := featurize.NewTokenizer([]string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	m := &checkpoint.Model{
		Config: tiny, Features: featurize.Config{}.WithDefaults(), Vocab: &featurize.Vocab{Atom: words, Bond: words},
		Targets: []checkpoint.Target{{Name: "Tg"}, {Name: "Tm"}}, Scaler: data.Scaler{Center: []float64{1, 2}, Scale: []float64{1, 1}},
	}
	m.Weights = nn.NewParams(tiny, m.Sizes())
	if history != nil {
		m.Keep(train.DefaultConfig(), &train.Snapshot{
			Progress: train.Progress{History: history, Paths: []string{"generic"}},
			State:    nn.State{Step: 9, Weights: m.Weights, M: m.Weights, V: m.Weights}, Best: m.Weights,
		})
	}
	var b bytes.Buffer
	if err := checkpoint.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (b *bench) folds(id string, n int) {
	b.Helper()
	b.update(id, func(j *jobs.Job) error { j.State = jobs.Training; return nil })
	if err := b.store.CreateFolds(b.Context(), id, n); err != nil {
		b.Fatal(err)
	}
}

func TestDivision(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	path := "/v1/training-jobs/" + id + "/folds"
	apitest.Request{Path: path}.Problem(t, b.url, http.StatusConflict, "conflict")
	b.put("jobs/"+id+"/prepared.json", `{"schema_version":1,"folds":{"0":{"train":[2,3],"validate":[0,1]},"1":{"train":[0,1],"validate":[2,3]}},"holdout":[4],"groups":[0,0,1,1,2],"chains":[null]}`)
	resp, body := apitest.Request{Path: path}.Send(t, b.url)
	const want = `{"object":"split","folds":{"0":{"train":[2,3],"validate":[0,1]},"1":{"train":[0,1],"validate":[2,3]}},"holdout":[4],"groups":[0,0,1,1,2]}`
	if resp.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != want {
		t.Errorf("%d %s, want %s", resp.StatusCode, body, want)
	}
	apitest.Request{Path: "/v1/training-jobs/tj_nope/folds"}.Problem(t, b.url, http.StatusNotFound, "not_found")
}

func TestHistory(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	path := func(fold any) string { return fmt.Sprintf("/v1/training-jobs/%s/folds/%v/history", id, fold) }
	apitest.Request{Path: path(0)}.Problem(t, b.url, http.StatusNotFound, "not_found")
	b.folds(id, 3)
	// Fold 0 has not been saved, fold 1 runs, fold 2 is done.
	const key = "jobs/x/checkpoint"
	b.put(key, string(model(t, epochs)))
	if _, err := b.store.UpdateFold(t.Context(), id, 1, func(f *jobs.Fold) error {
		f.Checkpoint = &jobs.Checkpoint{Key: key, Epoch: 2}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	done, err := json.Marshal(epochs)
	if err != nil {
		t.Fatal(err)
	}
	b.put(fmt.Sprintf("jobs/%s/folds/2/history.json", id), string(done))

	_, body := apitest.Request{Path: path(0)}.Send(t, b.url)
	if h := decode[training.History](t, body); h.Data == nil || len(h.Data) != 0 || len(h.Targets) != 2 {
		t.Errorf("before the first checkpoint: %s", body)
	}
	_, body = apitest.Request{Path: path(1)}.Send(t, b.url)
	goldenJSON(t, "history", body)
	for _, fold := range []int{1, 2} {
		resp, body := apitest.Request{Path: path(fold), Header: map[string]string{"Accept": "text/csv"}}.Send(t, b.url)
		const want = "epoch,loss,val_loss,val_mae_Tg,val_mae_Tm,learning_rate,seconds\n1,0.5,0.75,12,,0.0001,2\n2,0.25,0.5,9,7,0.0001,1.5\n"
		if string(body) != want || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/csv") {
			t.Errorf("fold %d as %s:\n%s, want\n%s", fold, resp.Header.Get("Content-Type"), body, want)
		}
	}
	apitest.Request{Path: path(3)}.Problem(t, b.url, http.StatusNotFound, "not_found")
	apitest.Request{Path: path(-1)}.Problem(t, b.url, http.StatusUnprocessableEntity, "invalid")
	apitest.Request{Path: path("x")}.Problem(t, b.url, http.StatusUnprocessableEntity, "invalid")
}

// scored is what a fold of two targets left, one value unmeasured.
const scored = `{"targets":[{"name":"Tg","units":"°C"},{"name":"Tm","units":"°C"}],"data":[{"row":4,"measured":[50,null],"predicted":[48.5,171]}]}`

func TestOutOfFold(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	path := func(fold any) string { return fmt.Sprintf("/v1/training-jobs/%s/folds/%v/predictions", id, fold) }
	apitest.Request{Path: path(0)}.Problem(t, b.url, http.StatusNotFound, "not_found")
	b.folds(id, 2)
	apitest.Request{Path: path(0)}.Problem(t, b.url, http.StatusConflict, "conflict")
	b.put(fmt.Sprintf("jobs/%s/folds/0/predictions.json", id), scored)
	_, body := apitest.Request{Path: path(0)}.Send(t, b.url)
	if want := `{"object":"list",` + scored[1:]; strings.TrimSpace(string(body)) != want {
		t.Errorf("%s, want %s", body, want)
	}
	resp, body := apitest.Request{Path: path(0), Header: map[string]string{"Accept": "text/csv"}}.Send(t, b.url)
	const want = "row,Tg,Tg_pred,Tm,Tm_pred\n4,50,48.5,,171\n"
	if string(body) != want || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("as %s:\n%s, want\n%s", resp.Header.Get("Content-Type"), body, want)
	}
}

// A checkpoint that another takes the place of while it is looked for.
func TestHistoryOfReplacedCheckpoint(t *testing.T) {
	var b *bench
	var id string
	replace := func(_ int, op, key string) storagetest.Fault {
		if op == "get" && key == "old" {
			b.put("new", string(model(t, epochs)))
			if _, err := b.store.UpdateFold(t.Context(), id, 0, func(f *jobs.Fold) error { f.Checkpoint.Key = "new"; return nil }); err != nil {
				t.Error(err)
			}
		}
		return storagetest.None
	}
	b = newBench(t, func(a *TrainingJobs, _ *Config) { a.Bucket = &storagetest.Faulty{Bucket: a.Bucket, Fail: replace} })
	id = b.job()
	b.folds(id, 1)
	if _, err := b.store.UpdateFold(t.Context(), id, 0, func(f *jobs.Fold) error { f.Checkpoint = &jobs.Checkpoint{Key: "old"}; return nil }); err != nil {
		t.Fatal(err)
	}
	_, body := apitest.Request{Path: "/v1/training-jobs/" + id + "/folds/0/history"}.Send(t, b.url)
	if h := decode[training.History](t, body); len(h.Data) != 2 {
		t.Errorf("history %s", body)
	}
}

// While storage is away the answer is 503, and says so.
func TestStorageAway(t *testing.T) {
	b := newBench(t, func(a *TrainingJobs, _ *Config) {
		away := &storagetest.Faulty{Bucket: a.Bucket, Fail: func(int, string, string) storagetest.Fault { return storagetest.Refused }}
		a.Keys = idempotency.New(&storage.Retry{Bucket: away, Tries: 1}, nil)
	})
	b.post("/v1/training-jobs", `{"dataset": "stereopolymer_input_nopush"}`, "Idempotency-Key", "k").
		Problem(t, b.url, http.StatusServiceUnavailable, "unavailable")
}

// The models a job starts from are looked at, and copied beside it.
func TestStartFrom(t *testing.T) {
	files := fstest.MapFS{}
	for i := range 2 {
		files[fmt.Sprintf("model_fold_%d/model.safetensors", i)] = &fstest.MapFile{Data: model(t, nil)}
	}
	b := newBench(t, func(a *TrainingJobs, _ *Config) {
		a.Weights = func(_ context.Context, from jobs.Revision) (fs.FS, error) {
			if from.Repo == "a/none" {
				return fstest.MapFS{}, nil
			}
			return files, nil
		}
	})
	body := func(repo, features string) string {
		return fmt.Sprintf(`{"dataset": "stereopolymer_input_nopush", "init_from": {"repo": %q, "revision": "main"},
			"model": {"atom_features": %s, "bond_features": 16, "mol_features": 4, "num_messages": 2, "dropout": 0.5}}`, repo, features)
	}
	id := b.create(body("a/b", "16")).ID
	for i := range 2 {
		if all := b.keys("jobs/" + id + "/init/" + fmt.Sprintf("model_fold_%d/model.safetensors", i)); len(all) != 1 {
			t.Errorf("model %d is not beside the job", i)
		}
	}
	for at, request := range map[string]string{"/model": body("a/b", "32"), "/init_from": body("a/none", "16")} {
		if p := b.post("/v1/training-jobs", request).Problem(t, b.url, http.StatusUnprocessableEntity, "invalid"); len(p.Errors) != 1 || p.Errors[0].Pointer != at {
			t.Errorf("problems %+v, want one at %s", p.Errors, at)
		}
	}
}
