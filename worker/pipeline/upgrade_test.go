package pipeline_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/worker/pipeline"
)

// A job that a worker of the first version prepared, with its chains in
// prepared.json, trains to the same bits.
func TestPreparedByFirstVersion(t *testing.T) {
	t.Parallel()
	models := map[bool]string{} // by whether the first version prepared it
	for _, first := range []bool{false, true} {
		p := newPlant(t)
		j := p.ask(spec(), keys.Dataset, table(t, 40))
		handle := func(task jobs.Task) {
			t.Helper()
			task.Job = j.ID
			if err := p.Handle(t.Context(), task); err != nil {
				t.Fatal(err)
			}
		}
		handle(jobs.Task{Kind: jobs.Prepare})
		if first {
			asFirstVersion(p, j.ID)
			p.Pipeline = &pipeline.Pipeline{ // another process, which has nothing in memory
				Store: p.Store, Queue: p.Queue, Bucket: p.Bucket, NewEngine: p.NewEngine, Worker: p.Worker, Code: p.Code, CostPerHour: p.CostPerHour,
				Every: p.Every, HeartbeatEvery: p.HeartbeatEvery, Log: p.Log,
			}
		}
		handle(jobs.Task{Kind: jobs.TrainFold})
		fold, err := p.Store.Folds(t.Context(), j.ID)
		if err != nil || fold[0].Status != jobs.FoldSucceeded {
			t.Fatalf("%+v, %v, job %+v", fold[0], err, p.job(j.ID).Failure)
		}
		models[first] = string(p.object(keys.FoldModel(j.ID, 0, 1)))
	}
	if models[false] != models[true] {
		t.Error("the fold learned something else")
	}
}

// asFirstVersion writes a job's preparation as the first version did.
func asFirstVersion(p *plant, job string) {
	p.Helper()
	var prepared map[string]any
	if err := json.Unmarshal(p.object(keys.Prepared(job)), &prepared); err != nil {
		p.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(p.object(keys.Chains(job))))
	if err != nil {
		p.Fatal(err)
	}
	chains := []json.RawMessage{}
	for dec := json.NewDecoder(plain); ; {
		var row json.RawMessage
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			p.Fatal(err)
		}
		chains = append(chains, row)
	}
	prepared["schema_version"], prepared["chains"] = 1, chains
	body, err := json.Marshal(prepared)
	if err != nil {
		p.Fatal(err)
	}
	if err := p.Bucket.Delete(p.Context(), keys.Chains(job)); err != nil {
		p.Fatal(err)
	}
	if _, err := p.Bucket.Put(p.Context(), keys.Prepared(job), bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		p.Fatal(err)
	}
}

// object is the content of an object.
func (p *plant) object(key string) []byte {
	p.Helper()
	o, err := p.Bucket.Get(p.Context(), key)
	if err != nil {
		p.Fatal(err)
	}
	defer o.Close()
	body, err := io.ReadAll(o)
	if err != nil {
		p.Fatal(err)
	}
	return body
}
