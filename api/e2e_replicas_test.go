package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
)

// TestReplicas is two api processes and two workers on one Redis, one storage
// and one Hub, with every task delivered twice. Each job has one result, one
// publication and one webhook an event; of two jobs that want one tag at the
// same time, one gets it, and the other says why not.
func TestReplicas(t *testing.T) {
	end2end(t)
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	hub := newService(t)
	address := freeAddress(t)
	startRedis(t, redisProgram(t), address)
	objects := t.TempDir()
	shared := []string{"REDIS_URL=redis://" + address, "STORAGE_URL=file://" + objects}
	api := append([]string{"HF_ENDPOINT=" + hub.url + "/hub", "HF_TOKEN=any", "WEBHOOK_SECRET=" + secret, "WEBHOOK_ALLOW_PRIVATE=1"}, shared...)
	one, two := newService(t, api...), newService(t, api...)
	startWorker(t, shared)
	startWorker(t, shared)
	hooks := newSink(t, func() string { return secret })

	redis, err := redisjobs.Connect("redis://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	queue := redisjobs.NewQueue(redis)
	again := func(kind jobs.Kind, id string, fold, attempt int) {
		t.Helper()
		if err := queue.Enqueue(t.Context(), jobs.Task{Kind: kind, Job: id, Fold: fold, Attempt: attempt}); err != nil {
			t.Fatal(err)
		}
	}
	const other = 1000 // an attempt of its own is a task of its own

	spec := func(seed string) []byte {
		return small(30, `, "seed": `+seed+`, "webhook": {"url": "`+hooks.URL+`"}, "publish": {"tag": "v1.0.0"}`)
	}
	first, second := one.submit(spec("1")), two.submit(spec("2"))
	asked := map[string]*service{first.ID: two, second.ID: one} // each watched by the other replica
	for id := range asked {
		again(jobs.Prepare, id, 0, other)
	}
	for id, s := range asked {
		s.reaches(id, "the folds", func(v *jobs.View) bool { return len(v.Folds) > 0 })
		for fold := range 3 {
			again(jobs.TrainFold, id, fold, other)
		}
	}
	for id, s := range asked {
		s.reaches(id, "the end of training", func(v *jobs.View) bool {
			return v.Status != jobs.Queued && v.Status != jobs.Preparing && v.Status != jobs.Training || v.Status.Ended()
		})
		again(jobs.Finalize, id, 0, other)
		again(jobs.Publish, id, 0, other)
		again(jobs.Publish, id, 0, other+1)
	}
	over := map[string]*jobs.View{}
	for id, s := range asked {
		until(t, "both jobs to end", func() bool { over[id] = s.job(id); return over[id].Status.Ended() })
	}

	won, lost := over[first.ID], over[second.ID]
	if won.Status != jobs.Succeeded {
		won, lost = lost, won
	}
	if won.Status != jobs.Succeeded || lost.Status != jobs.Failed || lost.Error == nil || lost.Error.Code != "tag_exists" || lost.Published != nil {
		t.Fatalf("of two jobs for one tag, one is %s as %+v, the other %s: %+v", won.Status, won.Published, lost.Status, lost.Error)
	}
	// The revision is the winner's, whole, under the tag and on main.
	var commits []struct{ ID string }
	for _, rev := range []string{"main", "v1.0.0"} {
		if hub.call("GET", "/hub/api/models/polyid/polyid-models/commits/"+rev, "", &commits); len(commits) != 2 || commits[0].ID != won.Published.Commit {
			t.Errorf("%s has the commits %v, want the first and %s", rev, commits, won.Published.Commit)
		}
	}
	for fold := range 3 {
		trained, err := os.ReadFile(filepath.Join(objects, "jobs", won.ID, "model", "model_fold_"+string(rune('0'+fold)), "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(hub.model(won, fold), trained) {
			t.Errorf("fold %d on the Hub is not what the winner trained", fold)
		}
	}
	// The loser's training is kept, and goes to a tag of its own.
	if status := one.call("POST", "/v1/training-jobs/"+lost.ID+"/publish", `{"tag": "v1.0.1"}`, nil); status != 202 {
		t.Fatalf("publishing the other one elsewhere: %d", status)
	}
	again(jobs.Publish, lost.ID, 0, other+2)
	two.reaches(lost.ID, "the other publication", func(v *jobs.View) bool { return v.Status == jobs.Succeeded })

	want := map[string]int{
		"training_job.created": 2, "training_job.started": 2, "training_job.fold_started": 6, "training_job.fold_finished": 6,
		"training_job.finalizing": 2, "training_job.published": 2, "training_job.succeeded": 2, "training_job.failed": 1, "training_job.fold_resumed": 0,
	}
	for typ, n := range want {
		until(t, typ, func() bool { return hooks.count(typ) >= n })
	}
	for id, s := range asked { // what was delivered is delivered again
		for _, e := range s.events(t, id) {
			again(jobs.Notify, id, 0, e.Seq<<8)
		}
	}
	until(t, "all webhooks to be worked off", func() bool {
		for id, s := range asked {
			for _, e := range s.events(t, id) {
				if e.Webhook == nil || !e.Webhook.Delivered || len(e.Webhook.Attempts) != 1 {
					return false
				}
			}
		}
		n, err := queue.Depth()
		return err == nil && n[jobs.Notify] == 0
	})
	for typ, n := range want {
		if got := hooks.count(typ); got != n {
			t.Errorf("%d webhooks of %s, want %d", got, typ, n)
		}
	}
	hooks.check(t)

	// What one replica is asked for, the other one answers; both serve the model.
	var accepted struct{ ID, Status string }
	if status := one.call("POST", "/v1/predictions", `{"inputs": [{"smiles_repeat_unit": "*OC(C)C(=O)*"}]}`, &accepted); status != 202 {
		t.Fatalf("POST /v1/predictions: %d", status)
	}
	until(t, "the prediction", func() bool {
		two.call("GET", "/v1/predictions/"+accepted.ID, "", &accepted)
		return accepted.Status == "succeeded"
	})
	for _, s := range []*service{one, two} {
		if text := s.errs.String(); strings.Contains(text, "level=ERROR") {
			t.Errorf("errors were logged:\n%s", text)
		}
	}
}

// happened is an event of a job as the API lists it.
type happened struct {
	Seq     int
	Type    string
	Data    json.RawMessage
	Webhook *struct {
		Delivered bool
		Attempts  []struct{ Time time.Time }
	}
}

// events lists what happened to a job.
func (s *service) events(t *testing.T, id string) []happened {
	t.Helper()
	var list struct{ Data []happened }
	if status := s.call("GET", "/v1/training-jobs/"+id+"/events?limit=100", "", &list); status != 200 {
		t.Fatalf("events of %s: %d", id, status)
	}
	return list.Data
}
