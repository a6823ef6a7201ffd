package predict_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/worker/predict"
)

// rename gives a target another name and units throughout a revision, which is a
// copy.
func rename(r *revision.Revision, from, to, units string) {
	targets := append(r.Config.Targets[:0:0], r.Config.Targets...)
	calibration := *r.Calibration
	calibration.Targets = append(calibration.Targets[:0:0], calibration.Targets...)
	for i := range targets {
		if targets[i].Name == from {
			targets[i].Name, targets[i].Units = to, units
			calibration.Targets[i].Name = to
		}
	}
	r.Config.Targets, r.Calibration = targets, &calibration
	models := append(r.Models[:0:0], r.Models...)
	for i, m := range models {
		copied := *m
		copied.Targets = targets
		models[i] = &copied
	}
	r.Models = models
}

var one = &predict.Request{Inputs: []predict.Input{{RepeatUnit: styrene}}}

// Without a model there is no answer, and the error says how to get one; once
// one is published it is loaded.
func TestNoModel(t *testing.T) {
	b := newBench(t)
	if b.models.Ready() == nil {
		t.Error("ready without a model")
	}
	_, err := b.Answer(t.Context(), one)
	if jobs.ErrorCode(err) != jobs.ModelNotLoaded || !strings.Contains(err.Error(), "/v1/training-jobs") {
		t.Errorf("answering without a model: %v", err)
	}
	commit := b.publish(1)
	b.models.Refresh(t.Context())
	if err := b.models.Ready(); err != nil {
		t.Error(err)
	}
	if s := b.models.Status(); len(s) != 1 || !s[0].Loaded || !s[0].Default || s[0].Commit != commit || s[0].Metrics.OutOfFold["Tg"].Rows == 0 {
		t.Errorf("status %+v", s)
	}
	b.answer(one)
}

// A branch that moves is followed; a revision that cannot be loaded is not, and
// said to be so; the one before it serves.
func TestReload(t *testing.T) {
	b := newBench(t)
	first := b.publish(1)
	if c := b.answer(one).Model.Commit; c != first {
		t.Fatalf("answered by %s, want %s", c, first)
	}
	bad := revisiontest.TinyFiles(t, 2, 2)
	bad["config.json"] = []byte(strings.Replace(string(bad["config.json"]), `"schema_version": 1`, `"schema_version": 9`, 1))
	b.commit("main", bad)
	b.models.Refresh(t.Context())
	if c := b.answer(one).Model.Commit; c != first {
		t.Errorf("answered by %s, want the good %s", c, first)
	}
	if s := b.models.Status()[0]; !strings.Contains(s.Error, "schema_version") || s.Commit != first {
		t.Errorf("status %+v does not say that a revision was refused", s)
	}
	third := b.publish(3)
	b.models.Refresh(t.Context())
	out := b.answer(one)
	if out.Model.Commit != third {
		t.Errorf("answered by %s, want the new %s", out.Model.Commit, third)
	}
	r := tiny(t, 3)
	equal(t, out.Results[0], expect(t, r, out.Results[0].SMILES), r)
	if s := b.models.Status()[0]; s.Error != "" {
		t.Errorf("status %+v still complains", s)
	}
}

// Run follows what it is told has moved, without waiting for a tick.
func TestMoved(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.models.Run(ctx, nil) }()
	want := func(commit string) {
		deadline := time.After(30 * time.Second)
		for b.models.Status()[0].Commit != commit {
			select {
			case <-deadline:
				t.Fatalf("%s was not loaded", commit)
			case <-time.After(time.Millisecond):
			}
		}
	}
	second := b.publish(2)
	b.models.Moved()
	want(second)
	stop()
	<-done
}

// A use outlives its revision being replaced.
func TestUseOutlivesReload(t *testing.T) {
	b := newBench(t)
	first := b.publish(1)
	model, done, err := b.models.Use(t.Context(), jobs.Revision{})
	if err != nil {
		t.Fatal(err)
	}
	b.publish(2)
	b.models.Refresh(t.Context())
	if model.Commit != first {
		t.Error("the model in use changed")
	}
	done()
	if c := b.answer(one).Model.Commit; c == first {
		t.Error("the old revision still serves")
	}
}

// While the Hub is away, what is loaded serves; what is in the cache can be
// loaded anew.
func TestHubAway(t *testing.T) {
	b := newBench(t)
	commit := b.publish(1)
	b.answer(one)
	b.away.Store(true)
	b.models.Refresh(t.Context())
	if c := b.answer(one).Model.Commit; c != commit {
		t.Errorf("answered by %s", c)
	}
	b.restart(predict.ModelsConfig{})
	if c := b.answer(one).Model.Commit; c != commit {
		t.Errorf("after a restart answered by %s", c)
	}
	if s := b.models.Status()[0]; !s.Stale {
		t.Errorf("status %+v does not say that the Hub is away", s)
	}
	_, err := b.Answer(t.Context(), &predict.Request{Model: jobs.Revision{Revision: "v9"}, Inputs: one.Inputs})
	if jobs.ErrorCode(err) != jobs.ModelNotLoaded || !strings.Contains(err.Error(), "is away") {
		t.Errorf("a revision that is not in the cache: %v", err)
	}
	b.away.Store(false)
	b.models.Refresh(t.Context())
	if b.models.Status()[0].Stale {
		t.Error("still stale with the Hub back")
	}
}

// Several revisions serve side by side, no more than allowed, and only of
// repositories that may be asked for.
func TestSeveral(t *testing.T) {
	b := newBench(t)
	b.restart(predict.ModelsConfig{Loaded: 2})
	commits := map[string]string{}
	for i, tag := range []string{"v1.0.0", "v2.0.0", "v3.0.0"} {
		commits[tag] = b.publish(uint64(i + 1))
		if err := b.hub.CreateTag(t.Context(), repo, commits[tag], tag, ""); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for _, ref := range []string{"", "v1.0.0", "v2.0.0", commits["v1.0.0"], "v3.0.0"} {
			want := commits[ref]
			switch {
			case ref == "":
				want = commits["v3.0.0"]
			case len(ref) == 40:
				want = ref
			}
			out := b.answer(&predict.Request{Model: jobs.Revision{Revision: ref}, Inputs: one.Inputs})
			if out.Model.Commit != want {
				t.Errorf("revision %q answered by %s, want %s", ref, out.Model.Commit, want)
			}
			loaded := map[string]bool{}
			for _, s := range b.models.Status() {
				loaded[s.Commit] = true
			}
			if len(loaded) > 2 || !loaded[commits["v3.0.0"]] && ref != "" {
				t.Errorf("%d revisions are loaded", len(loaded))
			}
		}
	}
	for ref, code := range map[jobs.Revision]jobs.Code{
		{Revision: "v9.0.0"}:              jobs.NotFound,
		{Repo: "somebody/else"}:           jobs.Forbidden,
		{Revision: "no such", Repo: repo}: jobs.NotFound,
	} {
		if _, err := b.Answer(t.Context(), &predict.Request{Model: ref, Inputs: one.Inputs}); jobs.ErrorCode(err) != code {
			t.Errorf("%v: %v, want %s", ref, err, code)
		}
	}
}
