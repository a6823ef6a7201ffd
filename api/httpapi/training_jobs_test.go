package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/datasets"
	"polyid-trainer/api/estimate"
	"polyid-trainer/api/training"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
	"polyid-trainer/storage/storagetest"
)

var updateGolden = flag.Bool("update-golden", false, "write the golden files anew")

// goldenJSON compares JSON, indented and with ids taken out, with a file.
func goldenJSON(t *testing.T, name string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	have := regexp.MustCompile(`(tj|ds|evt)_[0-9a-z]{26}`).ReplaceAll(b.Bytes(), []byte("${1}_x"))
	file := filepath.Join("testdata", name+".json")
	if *updateGolden {
		if err := os.WriteFile(file, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is\n%s, want\n%s", name, have, want)
	}
}

// hub is a Hub that refuses what it is told to.
type hubFunc func(*jobs.Destination, *jobs.Revision) ([]jobs.Problem, error)

func (f hubFunc) Preflight(_ context.Context, d *jobs.Destination, from *jobs.Revision) ([]jobs.Problem, error) {
	return f(d, from)
}

// pace is an Estimator that measures nothing.
type pace estimate.Pace

func (p pace) Pace(context.Context, *jobs.Spec, *data.Table) (estimate.Pace, error) {
	return estimate.Pace(p), nil
}

func (pace) Memory(context.Context, *jobs.Spec, *data.Table) (estimate.Memory, error) {
	return estimate.Memory{Fold: 150e6, Data: 10e6}, nil
}

// bench is a server of jobs over a store of files.
type bench struct {
	*testing.T
	url    string
	area   *TrainingJobs
	store  *records.Store
	bucket storage.Bucket
	queue  *apitest.Queue
	live   *apitest.Live
}

func newBench(t *testing.T, change func(*TrainingJobs, *Config)) *bench {
	t.Helper()
	f := apitest.NewTraining(t, noon)
	b := &bench{T: t, store: f.Records, bucket: f.Storage, queue: f.Enqueued, live: f.Told}
	b.area = &TrainingJobs{Service: f.Service}
	c := Config{Now: f.Now, Limits: Limits{Burst: 100_000}}
	if change != nil {
		change(b.area, &c)
	}
	b.url = serve(t, c, b.area, &Datasets{Library: b.area.Library}).URL
	return b
}

const small = `"model": {"atom_features": 16, "bond_features": 16, "mol_features": 4, "num_messages": 2}, "epochs": 3`

func (b *bench) post(path, body string, header ...string) apitest.Request {
	return apitest.NewRequest(http.MethodPost, path, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

// create makes a job.
func (b *bench) create(body string, header ...string) jobs.View {
	b.Helper()
	resp, answer := b.post("/v1/training-jobs", body, header...).Send(b.T, b.url)
	if resp.StatusCode != http.StatusAccepted {
		b.Fatalf("creating a job answers %d %s", resp.StatusCode, answer)
	}
	v := decode[jobs.View](b.T, answer)
	if to := resp.Header.Get("Location"); to != "/v1/training-jobs/"+v.ID {
		b.Errorf("the job is said to be at %s", to)
	}
	return v
}

func (b *bench) job() string {
	b.Helper()
	return b.create(`{"dataset": "stereopolymer_input_nopush", ` + small + `}`).ID
}

func (b *bench) update(id string, change func(*jobs.Job) error) {
	b.Helper()
	if _, err := b.store.UpdateJob(b.Context(), id, change); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) put(key, body string) {
	b.Helper()
	if _, err := b.bucket.Put(b.Context(), key, strings.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) keys(prefix string) []string {
	b.Helper()
	var all []string
	for e, err := range b.bucket.List(b.Context(), prefix) {
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, e.Key)
	}
	return all
}

func TestCreateJob(t *testing.T) {
	b := newBench(t, nil)
	_, body := b.post("/v1/training-jobs", `{"dataset": "stereopolymer_input_nopush"}`).Send(t, b.url)
	goldenJSON(t, "training_job_created", body)
	id := decode[jobs.View](t, body).ID
	if tasks := b.queue.All(); !slices.Equal(tasks, []string{id + ":prepare:0"}) {
		t.Errorf("enqueued %v", tasks)
	}
	resp, again := apitest.Request{Path: "/v1/training-jobs/" + id}.Send(t, b.url)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(again, body) {
		t.Errorf("read back: %d %s", resp.StatusCode, again)
	}
	// The job's own copy of the table reads back as the same.
	o, err := b.bucket.Get(t.Context(), "jobs/"+id+"/dataset.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	table, _, err := data.Read(t.Context(), o, "", data.Columns{Targets: []string{"Tg", "Tm"}}, data.Options{})
	if err != nil || table.Rows() != 229 {
		t.Errorf("the stored table: %v", err)
	}
	j, err := b.store.Job(t.Context(), id)
	if err != nil || j.Owner != access.Local || !slices.Equal(j.Spec.Targets, []string{"Tg", "Tm"}) || j.Spec.Publish.Repo != "polyid/polyid-models" {
		t.Errorf("the record is %+v, %v", j, err)
	}
	apitest.Request{Path: "/v1/training-jobs/tj_nope"}.Problem(t, b.url, http.StatusNotFound, "not_found")
}

// The second shipped table trains all seven of PolyID's properties, under their
// names or their aliases.
func TestCreateJobOfSevenProperties(t *testing.T) {
	b := newBench(t, nil)
	v := b.create(`{"dataset": "polymers_seven_properties", ` + small + `}`)
	if want := []string{"Glass_Transition", "Melt_Temp", "Density", "log10_Permeability_CO2", "log10_Permeability_N2", "log10_Permeability_O2", "YoungMod"}; !slices.Equal(v.Targets, want) {
		t.Errorf("targets %v, want %v", v.Targets, want)
	}
	v = b.create(`{"dataset": "polymers_seven_properties", "prediction_columns": ["Tg", "Tm", "YoungsModulus"], ` + small + `}`)
	if want := []string{"Tg", "Tm", "YoungsModulus"}; !slices.Equal(v.Targets, want) {
		t.Errorf("targets %v, want %v", v.Targets, want)
	}
}

// Datasets of one's own, joined by column, with a hold-out set of its own.
func TestCreateJobOfUploads(t *testing.T) {
	b := newBench(t, nil)
	_, body := apitest.Request{Method: "POST", Path: "/v1/datasets", Header: csvType, Body: polymers(12)}.Send(t, b.url)
	mine := decode[datasets.Dataset](t, body).ID
	v := b.create(`{"dataset": ["polymers_seven_properties", "` + mine + `"], "prediction_columns": ["Density", "Tg"], "kfolds": 2, "holdout": {"dataset": "` + mine + `"}}`)
	if !slices.Equal(v.Targets, []string{"Density", "Tg"}) {
		t.Errorf("targets %v", v.Targets)
	}
	if all := b.keys("jobs/" + v.ID + "/"); len(all) != 4 {
		t.Errorf("stored %v, want two tables, the record and its copy", all)
	}
}

// While Redis is away nothing is taken on and nothing left behind; where it goes
// between the look and the task, the record is made, and the reconciler will
// enqueue it.
func TestCreateJobWithoutRedis(t *testing.T) {
	b := newBench(t, nil)
	b.queue.Away = true
	before := len(b.keys(""))
	resp, body := apitest.Request{Method: "POST", Path: "/v1/training-jobs", Header: map[string]string{"Content-Type": "application/json"},
		Body: `{"dataset": "stereopolymer_input_nopush", ` + small + `}`}.Send(t, b.url)
	if p := decode[Problem](t, body); resp.StatusCode != http.StatusServiceUnavailable || p.Detail != "Redis is away" {
		t.Errorf("without Redis: %d %s", resp.StatusCode, body)
	}
	if after := len(b.keys("")); after != before {
		t.Errorf("it left %d objects behind", after-before)
	}
	b.queue.Away = false
	b.queue.Down = true
	id := b.job()
	active, err := b.store.Active(t.Context())
	if err != nil || len(active) != 1 || active[0].ID != id {
		t.Errorf("active %v, %v", active, err)
	}
}

// Everything that is wrong is told at once, and nothing is left behind.
func TestJobProblems(t *testing.T) {
	b := newBench(t, func(a *TrainingJobs, _ *Config) {
		a.Hub = hubFunc(func(d *jobs.Destination, _ *jobs.Revision) ([]jobs.Problem, error) {
			if d != nil && d.Repo == "other/repo" {
				return nil, &jobs.Error{Code: jobs.Forbidden, Detail: "other/repo is not in HUB_ALLOW"}
			}
			if d != nil && d.Tag != "" {
				return []jobs.Problem{{Pointer: "/publish/tag", Detail: "exists already"}}, nil
			}
			return nil, nil
		})
	})
	few := "smiles_repeat_unit,Tg,Rare\n"
	for i := range 12 {
		rare := ""
		if i < 3 {
			rare = strconv.Itoa(10 + 7*i*i)
		}
		few += fmt.Sprintf("*C%sO*,%d,%s\n", strings.Repeat("C", i), i, rare)
	}
	_, body := apitest.Request{Method: "POST", Path: "/v1/datasets", Header: csvType, Body: few}.Send(t, b.url)
	rare := decode[datasets.Dataset](t, body).ID
	before := len(b.keys(""))
	const shipped = `"dataset": "stereopolymer_input_nopush"`
	for name, c := range map[string]struct {
		body string
		at   string // pointers, sorted
		says string
	}{
		"nothing":            {`{}`, "/dataset", "required"},
		"no object":          {`[1]`, "", "not an object"},
		"all at once":        {`{"dataset": "nope", "kfolds": 1, "epochs": 0, "model": {"num_messages": -1}, "epocs": 3}`, "/dataset /epochs /epocs /kfolds /model/num_messages", "did you mean epochs?"},
		"unknown field":      {`{` + shipped + `, "learningrate": 1}`, "/learningrate", "did you mean learning_rate?"},
		"unknown below":      {`{` + shipped + `, "model": {"atomfeatures": 1}}`, "/model/atomfeatures", "did you mean atom_features?"},
		"types":              {`{"dataset": 3, "epochs": "many", "seed": -1, "model": {"dropout": "x"}, "split": 5}`, "/dataset /epochs /model/dropout /seed /split", ""},
		"several below":      {`{` + shipped + `, "model": {"atomfeatures": 1, "dropout": 2, "num_messages": "x"}, "holdout": {"fraction": 3, "x": 1}, "publish": {"repo": "bad", "tagg": "v1"}}`, "/holdout/fraction /holdout/x /model/atomfeatures /model/dropout /model/num_messages /publish/repo /publish/tagg", "did you mean tag?"},
		"no budget":          {`{` + shipped + `, "max_cost_usd": 0}`, "/max_cost_usd", "Leave it out"},
		"unknown column":     {`{` + shipped + `, "prediction_columns": ["Tg", "Tmm"]}`, "/prediction_columns/1", "is it Tm?"},
		"no property":        {`{` + shipped + `, "prediction_columns": ["pm"]}`, "/prediction_columns/0", "no property"},
		"three values":       {`{"dataset": "` + rare + `", "prediction_columns": ["Tg", "Rare"]}`, "/prediction_columns/1", "3"},
		"unknown feature":    {`{` + shipped + `, "features": {"atom": "atom_features_v9"}}`, "/features/atom", ""},
		"chains":             {`{` + shipped + `, "chains": {"dp": 0, "max_heavy_atoms": -1, "ring": true}, "validate_every": 0}`, "/chains/dp /chains/max_heavy_atoms /chains/ring /validate_every", "leave it out"},
		"dropout":            {`{` + shipped + `, "model": {"dropout": 1.5}}`, "/model/dropout", ""},
		"schedule":           {`{` + shipped + `, "learning_rate_schedule": "linear"}`, "/learning_rate_schedule", ""},
		"folds beyond":       {`{` + shipped + `, "split": {"folds": {"0": {"train": [0, 1], "validate": [2]}, "1": {"train": [1], "validate": [900]}}}}`, "/split", "900"},
		"far too many folds": {`{` + shipped + `, "split": {"folds": {` + manyFolds(21) + `}}}`, "/split/folds", "more than 20"},
		"budget":             {`{` + shipped + `, "max_cost_usd": 5}`, "/max_cost_usd", "COST_PER_HOUR"},
		"tag":                {`{` + shipped + `, "publish": {"tag": "v1.0.0"}}`, "/publish/tag", "exists"},
		"webhook":            {`{` + shipped + `, "webhook": {"url": "file:///etc/passwd"}}`, "/webhook/url", ""},
		"holdout unknown":    {`{` + shipped + `, "holdout": {"dataset": "nope"}}`, "/holdout/dataset", "no dataset"},
		"too many folds":     {`{"dataset": "` + rare + `", "prediction_columns": ["Tg"], "kfolds": 12}`, "/prediction_columns/0", "24 are needed"},
		"holdout takes all":  {`{` + shipped + `, "holdout": {"fraction": 2}}`, "/holdout/fraction", ""},
		"tacticity reserved": {`{` + shipped + `, "prediction_columns": ["Tg", "Tg"]}`, "/prediction_columns/1", "same property"},
	} {
		p := b.post("/v1/training-jobs", c.body).Problem(t, b.url, http.StatusUnprocessableEntity, "invalid")
		var at []string
		said := ""
		for _, e := range p.Errors {
			at = append(at, e.Pointer)
			said += e.Detail + "\n"
		}
		slices.Sort(at)
		if have := strings.Join(slices.Compact(at), " "); have != c.at || !strings.Contains(said, c.says) {
			t.Errorf("%s: problems at %q that say %s, want %q that say %q", name, have, said, c.at, c.says)
		}
	}
	b.post("/v1/training-jobs", `{`+shipped+`, "publish": {"repo": "other/repo"}}`).Problem(t, b.url, http.StatusForbidden, "forbidden")
	if after := b.keys(""); len(after) != before || len(b.queue.All()) != 0 {
		t.Errorf("refused jobs left something: %v, tasks %v", after, b.queue.All())
	}
}

// manyFolds is n folds of the same rows.
func manyFolds(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"%d": {"train": [0], "validate": [1]}`, i))
	}
	return strings.Join(all, ", ")
}

func TestHostileJobs(t *testing.T) {
	b := newBench(t, func(_ *TrainingJobs, c *Config) { c.Limits.TrainingJob = 10_000 })
	for name, body := range map[string]string{
		"nothing":    ``,
		"broken":     `{"dataset": `,
		"two":        `{} {}`,
		"deep":       strings.Repeat("[", 9000),
		"not UTF-8":  "{\"dataset\": \"\xff\xfe\"",
		"a NUL":      "\x00",
		"deep field": `{"metadata": ` + strings.Repeat(`{"a":`, 1500) + `1` + strings.Repeat(`}`, 1499) + `}`,
	} {
		if p := b.post("/v1/training-jobs", body).Problem(t, b.url, http.StatusBadRequest, "malformed"); p.Detail == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	b.post("/v1/training-jobs", `{"dataset": "`+strings.Repeat("x", 20_000)+`"}`).Problem(t, b.url, http.StatusRequestEntityTooLarge, "too_large")
	b.post("/v1/training-jobs", `{}`, "Content-Type", "text/xml").Problem(t, b.url, http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.post("/v1/training-jobs", `{}`, "Idempotency-Key", strings.Repeat("x", 300)).Problem(t, b.url, http.StatusBadRequest, "malformed")
}

func TestIdempotency(t *testing.T) {
	b := newBench(t, func(_ *TrainingJobs, c *Config) {
		c.Tokens = keyring("ann", "annann", "bob", "bobbob")
	})
	const body = `{"dataset": "stereopolymer_input_nopush", ` + small + `}`
	send := func(token, key, body string) (int, []byte) {
		resp, answer := b.post("/v1/training-jobs", body, "Authorization", "Bearer "+token, "Idempotency-Key", key).Send(t, b.url)
		return resp.StatusCode, answer
	}
	status, first := send("annann", "k", body)
	id := decode[jobs.View](t, first).ID
	b.update(id, func(j *jobs.Job) error { return j.Start(noon) }) // whatever has become of it
	if again, answer := send("annann", "k", body); status != again || !bytes.Equal(first, answer) {
		t.Errorf("the same request: %d %s, before %d %s", again, answer, status, first)
	}
	if status, answer := send("annann", "k", body+" "); status != http.StatusConflict {
		t.Errorf("another body: %d %s", status, answer)
	}
	for name, send := range map[string]func() (int, []byte){
		"another key":   func() (int, []byte) { return send("annann", "k2", body) },
		"another token": func() (int, []byte) { return send("bobbob", "k", body) },
		"no key":        func() (int, []byte) { return send("annann", "", body) },
	} {
		if status, answer := send(); status != http.StatusAccepted || decode[jobs.View](t, answer).ID == id {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	// A refused request leaves its key free.
	if status, _ := send("annann", "k3", `{"dataset": "nope"}`); status != http.StatusUnprocessableEntity {
		t.Errorf("refused with %d", status)
	}
	if status, answer := send("annann", "k3", body); status != http.StatusAccepted {
		t.Errorf("the key of a refused request: %d %s", status, answer)
	}
	// A deleted job does not come back.
	b.update(id, func(j *jobs.Job) error { return j.Cancel(noon) })
	if err := b.store.DeleteJob(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if status, answer := send("annann", "k", body); status != http.StatusAccepted || !bytes.Equal(first, answer) {
		t.Errorf("after deletion: %d %s", status, answer)
	}
	if _, err := b.store.Job(t.Context(), id); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("the deleted job is back: %v", err)
	}
}

// Many at once with one key make one job.
func TestIdempotencyAtOnce(t *testing.T) {
	b := newBench(t, nil)
	const body = `{"dataset": "stereopolymer_input_nopush", ` + small + `}`
	var mu sync.Mutex
	answers := map[string]bool{}
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			resp, answer := b.post("/v1/training-jobs", body, "Idempotency-Key", "k").Send(t, b.url)
			if resp.StatusCode != http.StatusAccepted {
				t.Errorf("%d %s", resp.StatusCode, answer)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[string(answer)] = true
		})
	}
	wg.Wait()
	page, err := b.store.Jobs(t.Context(), jobs.Filter{})
	if err != nil || len(page.Jobs) != 1 || len(answers) != 1 {
		t.Errorf("%d jobs, %d answers, %v", len(page.Jobs), len(answers), err)
	}
	if tasks := b.queue.All(); len(tasks) != 1 {
		t.Errorf("tasks %v", tasks)
	}
}

// Whichever write the process dies before, the same request makes one job in the
// end.
func TestIdempotencyOverCrashes(t *testing.T) {
	for dies := 1; ; dies++ {
		writes := 0
		b := newBench(t, func(a *TrainingJobs, _ *Config) {
			faulty := &storagetest.Faulty{Bucket: a.Bucket, Fail: func(_ int, op, _ string) storagetest.Fault {
				if op == "put" {
					if writes++; writes == dies {
						return storagetest.Refused
					}
				}
				return storagetest.None
			}}
			a.Bucket, a.Store, a.Keys = faulty, records.New(faulty), idempotency.New(faulty, func() time.Time { return noon })
		})
		const body = `{"dataset": "stereopolymer_input_nopush", ` + small + `}`
		resp, first := b.post("/v1/training-jobs", body, "Idempotency-Key", "k").Send(t, b.url)
		if resp.StatusCode == http.StatusAccepted && writes < dies {
			if dies < 5 {
				t.Errorf("a job takes %d writes", writes)
			}
			return // all were tried
		}
		resp, answer := b.post("/v1/training-jobs", body, "Idempotency-Key", "k").Send(t, b.url)
		page, err := b.store.Jobs(t.Context(), jobs.Filter{})
		if resp.StatusCode != http.StatusAccepted || err != nil || len(page.Jobs) != 1 || page.Jobs[0].ID != decode[jobs.View](t, answer).ID {
			t.Errorf("write %d lost: first %s, then %d %s; %d jobs, %v", dies, first, resp.StatusCode, answer, len(page.Jobs), err)
		}
	}
}

func TestListJobs(t *testing.T) {
	b := newBench(t, nil)
	var ids []string
	for range 3 {
		ids = append(ids, b.job())
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	b.update(ids[1], func(j *jobs.Job) error { return j.Cancel(noon) })
	get := func(query string) List[jobs.View] {
		resp, body := apitest.Request{Path: "/v1/training-jobs?" + query}.Send(t, b.url)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s answers %d %s", query, resp.StatusCode, body)
		}
		return decode[List[jobs.View]](t, body)
	}
	l := get("limit=2")
	if len(l.Data) != 2 || l.Data[0].ID != ids[0] || !l.HasMore || *l.NextAfter != ids[1] {
		t.Errorf("first page %+v", l)
	}
	if l := get("after=" + *l.NextAfter); len(l.Data) != 1 || l.Data[0].ID != ids[2] || l.HasMore || l.NextAfter != nil {
		t.Errorf("second page %+v", l)
	}
	if l := get("status=cancelled"); len(l.Data) != 1 || l.Data[0].ID != ids[1] {
		t.Errorf("cancelled %+v", l)
	}
	if l := get("status=queued,cancelled"); len(l.Data) != 3 {
		t.Errorf("queued or cancelled %+v", l)
	}
	if l := get("status=training"); l.Data == nil || len(l.Data) != 0 {
		t.Errorf("training %+v", l)
	}
	for _, bad := range []string{"status=lost", "limit=0", "limit=x", "after=../../x"} {
		apitest.Request{Path: "/v1/training-jobs?" + bad}.Problem(t, b.url, http.StatusUnprocessableEntity, "invalid")
	}
}

// What a job may be told in which state. Told twice, it does nothing more.
func TestActions(t *testing.T) {
	b := newBench(t, nil)
	type outcome struct {
		status int
		state  jobs.State
	}
	ok := func(s jobs.State) outcome { return outcome{http.StatusOK, s} }
	no := outcome{status: http.StatusConflict}
	for state, want := range map[jobs.State]map[string]outcome{
		jobs.Queued:     {"cancel": ok(jobs.Cancelled), "pause": ok(jobs.Paused), "resume": ok(jobs.Queued), "publish": no},
		jobs.Training:   {"cancel": ok(jobs.Cancelled), "pause": ok(jobs.Paused), "resume": ok(jobs.Training), "publish": no},
		jobs.Publishing: {"cancel": ok(jobs.Cancelled), "pause": ok(jobs.Paused), "resume": ok(jobs.Publishing), "publish": {http.StatusAccepted, jobs.Publishing}},
		"committing":    {"cancel": no, "pause": no, "resume": ok(jobs.Publishing), "publish": {http.StatusAccepted, jobs.Publishing}},
		jobs.Paused:     {"cancel": ok(jobs.Cancelled), "pause": ok(jobs.Paused), "resume": ok(jobs.Training), "publish": no},
		jobs.Failed:     {"cancel": no, "pause": no, "resume": ok(jobs.Training), "publish": no},
		jobs.Succeeded:  {"cancel": no, "pause": no, "resume": no, "publish": {http.StatusAccepted, jobs.Publishing}},
		jobs.Cancelled:  {"cancel": ok(jobs.Cancelled), "pause": no, "resume": no, "publish": no},
	} {
		for action, want := range want {
			id := b.job()
			b.update(id, func(j *jobs.Job) error {
				j.State, j.Left = state, jobs.Training
				if state == "committing" {
					j.State, j.Committing = jobs.Publishing, true
				}
				return nil
			})
			r := b.post("/v1/training-jobs/"+id+"/"+action, "")
			if want.status == http.StatusConflict {
				r.Problem(t, b.url, http.StatusConflict, "conflict")
				continue
			}
			for range 2 {
				resp, body := r.Send(t, b.url)
				if v := decode[jobs.View](t, body); resp.StatusCode != want.status || v.Status != want.state {
					t.Errorf("%s of a job that is %s: %d %s, want %d and %s", action, state, resp.StatusCode, v.Status, want.status, want.state)
				}
			}
		}
	}
	for _, action := range []string{"cancel", "pause", "resume", "publish"} {
		b.post("/v1/training-jobs/tj_nope/"+action, "").Problem(t, b.url, http.StatusNotFound, "not_found")
	}
}

// A job that has spent its budget goes on with another.
func TestResumeWithBudget(t *testing.T) {
	b := newBench(t, func(a *TrainingJobs, _ *Config) { a.CostPerHour = 1 })
	id := b.job()
	b.update(id, func(j *jobs.Job) error {
		j.Spec.MaxUSD = 1
		return errors.Join(j.Start(noon), j.Train(jobs.Prepared{}, nil), j.Pause(noon, "budget"))
	})
	resume := "/v1/training-jobs/" + id + "/resume"
	for body, at := range map[string]string{`{"max_cost_usd": 0}`: "/max_cost_usd", `{"max_cost_usd": "x"}`: "/max_cost_usd", `{"max_cost": 2}`: "/max_cost"} {
		if p := b.post(resume, body).Problem(t, b.url, http.StatusUnprocessableEntity, "invalid"); len(p.Errors) != 1 || p.Errors[0].Pointer != at {
			t.Errorf("%s: %+v, want a problem at %s", body, p.Errors, at)
		}
	}
	b.post(resume, `{`).Problem(t, b.url, http.StatusBadRequest, "malformed")
	for range 2 {
		resp, body := b.post(resume, `{"max_cost_usd": 2.5}`).Send(t, b.url)
		if v := decode[jobs.View](t, body); resp.StatusCode != http.StatusOK || v.Status != jobs.Training || v.MaxUSD != 2.5 {
			t.Errorf("resumed: %d %s with %v USD", resp.StatusCode, v.Status, v.MaxUSD)
		}
	}
}

// A job's folds are told after its record has moved, and what it needs is
// enqueued.
func TestActionsTell(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	b.update(id, func(j *jobs.Job) error { return errors.Join(j.Start(noon), j.Train(jobs.Prepared{}, nil)) })
	if err := b.store.CreateFolds(t.Context(), id, 2); err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"pause", "resume", "cancel"} {
		if resp, body := b.post("/v1/training-jobs/"+id+"/"+action, "").Send(t, b.url); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", action, resp.StatusCode, body)
		}
	}
	if want := []string{"pause", "", "cancel"}; !slices.Equal(b.live.Told, want) {
		t.Errorf("told %q, want %q", b.live.Told, want)
	}
	if want := []string{id + ":prepare:0", id + ":fold:0:0", id + ":fold:1:0"}; !slices.Equal(b.queue.All(), want) {
		t.Errorf("enqueued %v, want %v", b.queue.All(), want)
	}
}

func TestPublishElsewhere(t *testing.T) {
	b := newBench(t, func(a *TrainingJobs, _ *Config) {
		a.Hub = hubFunc(func(d *jobs.Destination, _ *jobs.Revision) ([]jobs.Problem, error) {
			if d.Tag == "v1.0.0" {
				return []jobs.Problem{{Pointer: "/publish/tag", Detail: "exists already"}}, nil
			}
			return nil, nil
		})
	})
	id := b.create(`{"dataset": "stereopolymer_input_nopush", "publish": null, ` + small + `}`).ID
	b.update(id, func(j *jobs.Job) error { j.State = jobs.Succeeded; return nil })
	path := "/v1/training-jobs/" + id + "/publish"
	for body, at := range map[string]string{
		`{"tag": "v1.0.0"}`:         "/tag",
		`{"tag": "one"}`:            "/tag",
		`{"repo": "no-slash"}`:      "/repo",
		`{"branches": "x"}`:         "/branches",
		`{"private": "yes"}`:        "/private",
		`{"promote": "sometimes"}`:  "/promote",
		`{"tag": "v2.0.0", "x": 1}`: "/x",
	} {
		p := b.post(path, body).Problem(t, b.url, http.StatusUnprocessableEntity, "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != at {
			t.Errorf("%s: problems %+v, want one at %s", body, p.Errors, at)
		}
	}
	b.post(path, `{`).Problem(t, b.url, http.StatusBadRequest, "malformed")
	resp, body := b.post(path, `{"repo": "me/mine", "tag": "v2.0.0", "promote": "never"}`).Send(t, b.url)
	v := decode[jobs.View](t, body)
	if resp.StatusCode != http.StatusAccepted || v.Status != jobs.Publishing || v.Publish.Repo != "me/mine" || v.Publish.Tag != "v2.0.0" ||
		v.Publish.Branch != "main" || v.Publish.Promote != jobs.PromoteNever {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	b.post(path, `{"repo": "me/other"}`).Problem(t, b.url, http.StatusConflict, "conflict")
	if tasks := b.queue.All(); !slices.Contains(tasks, id+":publish:1") {
		t.Errorf("tasks %v", tasks)
	}
}

func TestDeleteJob(t *testing.T) {
	b := newBench(t, nil)
	id := b.job()
	r := apitest.Request{Method: http.MethodDelete, Path: "/v1/training-jobs/" + id}
	r.Problem(t, b.url, http.StatusConflict, "conflict")
	b.update(id, func(j *jobs.Job) error { return j.Cancel(noon) })
	if resp, body := r.Send(t, b.url); resp.StatusCode != http.StatusNoContent {
		t.Errorf("deleting: %d %s", resp.StatusCode, body)
	}
	r.Problem(t, b.url, http.StatusNotFound, "not_found")
}

func TestEstimate(t *testing.T) {
	b := newBench(t, func(a *TrainingJobs, _ *Config) {
		a.Estimator = pace{Step: 10 * time.Millisecond, Validate: 4 * time.Millisecond, Parallel: 2, Path: "avx2", Steps: 100}
		a.CostPerHour = 0.5
	})
	_, body := b.post("/v1/training-jobs/estimate", `{"dataset": "stereopolymer_input_nopush", "early_stopping": {"patience": 20}, "max_cost_usd": 0.1}`).Send(t, b.url)
	goldenJSON(t, "estimate", body)
	e := decode[training.Estimate](t, body)
	// Three rounds of two, two and one fold.
	epoch := float64(e.Folds[0].Train)*0.010 + float64(e.Folds[0].Validate)*0.004
	if hours := 3 * 500 * epoch / 3600; e.Hours == nil || *e.Hours < 0.95*hours || *e.Hours > 1.05*hours {
		t.Errorf("%v hours, want about %v", e.Hours, hours)
	}
	resp, body := b.post("/v1/training-jobs/estimate", `{"dataset": "stereopolymer_input_nopush", "kfolds": 1}`).Send(t, b.url)
	if e := decode[training.Estimate](t, body); resp.StatusCode != http.StatusOK || len(e.Problems) != 1 || e.Problems[0].Pointer != "/kfolds" || e.Hours != nil || e.Rows != 229 {
		t.Errorf("an impossible job: %d %s", resp.StatusCode, body)
	}
	b.post("/v1/training-jobs/estimate", `{`).Problem(t, b.url, http.StatusBadRequest, "malformed")
	if all := b.keys(""); len(all) > 0 {
		t.Errorf("an estimate left %v", all)
	}
}
