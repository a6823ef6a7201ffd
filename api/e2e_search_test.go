package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/client"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

// searched is a search over the shipped table with a small network.
func searched(method string, trials, epochs int, seed int) string {
	return fmt.Sprintf(`{"method": %q, "max_trials": %d, "seed": %d, "train_best": false,
		"job": {"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg"], "epochs": %d, "kfolds": 2, "batch_size": 8, "publish": null,
			"model": {"atom_features": 16, "bond_features": 16, "mol_features": 4, "num_messages": 2}, "chains": {"dp": 3, "periodic": true}},
		"space": {"learning_rate": {"log": [1e-4, 3e-2]}, "model.dropout": {"uniform": [0, 0.3]}, "model.num_messages": {"choice": [2, 3, 4]}, "decay": {"log": [1e-6, 1e-3]}}}`,
		method, trials, seed, epochs)
}

func (s *service) search(body string) string {
	s.t.Helper()
	v, err := s.client.Search(s.t.Context(), []byte(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return v.ID
}

// found waits until a search has succeeded.
func (s *service) found(id string) client.SearchAt {
	s.t.Helper()
	var at client.SearchAt
	until(s.t, "the search to succeed", func() bool {
		var err error
		if at, err = s.client.FindSearch(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
		if at.Status.Ended() && at.Status != jobs.Succeeded {
			s.t.Fatalf("the search %s: %+v", at.Status, at.Error)
		}
		return at.Status == jobs.Succeeded
	})
	return at
}

// outcome is what must not depend on how a search came to its end.
func outcomeOfSearch(at client.SearchAt) (trials []string, best string) {
	for _, t := range at.Trials {
		trials = append(trials, fmt.Sprint(t.Index, t.Spec, t.Rung, t.Epochs, t.Scores, t.Status, t.Error == nil))
	}
	return trials, fmt.Sprint(at.Best.Index, *at.Best.Score, *at.Best.HoldoutScore)
}

// TestSearchKilled kills the one process of a search again and again: trials,
// scores and winner are those of an undisturbed search, to the bit, and no more
// than the best five trials keep checkpoints.
func TestSearchKilled(t *testing.T) {
	body := searched("asha", 9, 36, 3)
	calm := newService(t)
	wantTrials, wantBest := outcomeOfSearch(calm.found(calm.search(body)))

	s := newService(t)
	id := s.search(body)
	killed := 0
	for range 10 {
		<-time.After(time.Duration(300+rand.IntN(900)) * time.Millisecond)
		if at, err := s.client.FindSearch(t.Context(), id); err != nil || at.Status.Ended() {
			break
		}
		s.kill()
		killed++
		s.start(t)
	}
	at := s.found(id)
	trials, best := outcomeOfSearch(at)
	if !reflect.DeepEqual(trials, wantTrials) || best != wantBest {
		t.Errorf("killed %d times:\n%s\n%s\nundisturbed:\n%s\n%s", killed, strings.Join(trials, "\n"), best, strings.Join(wantTrials, "\n"), wantBest)
	}
	resumed := 0
	for _, trial := range at.Trials {
		for _, f := range s.job(trial.TrainingJob).Folds {
			resumed += f.Attempt - trial.Rung - 1
		}
	}
	if killed == 0 || resumed <= 0 {
		t.Errorf("killed %d times, %d folds resumed: this test has shown nothing", killed, resumed)
	}
	t.Logf("killed %d times, %d folds resumed after a death", killed, resumed)
	until(t, "old checkpoints to go", func() bool { return s.checkpointed(t, at.Trials) <= 5 })
	if n := s.checkpointed(t, at.Trials); n != 5 {
		t.Errorf("%d trials have checkpoints, want the best 5", n)
	}
	var list struct{ Data []jobs.View }
	if s.call(http.MethodGet, "/v1/training-jobs", "", &list); len(list.Data) != 0 {
		t.Errorf("%d trials are in the list of jobs", len(list.Data))
	}
}

// checkpointed counts the trials that have checkpoints.
func (s *service) checkpointed(t *testing.T, trials []searches.TrialView) int {
	have := map[string]bool{}
	for _, name := range objects(t, s) {
		for _, trial := range trials {
			if strings.Contains(name, trial.TrainingJob+"/") && strings.Contains(name, "/checkpoints/") {
				have[trial.TrainingJob] = true
			}
		}
	}
	return len(have)
}

// TestLongHalving compares successive halving, 27 trials in three rungs, with the
// same 27 trained in full, over five seeds. The trials that reach the end have the
// scores of those that never stopped, to the bit. The median best is within 5 % of
// theirs (the aim is 2 %; two folds of a small network leave scores noisy), for at
// most 45 % of the epochs.
func TestLongHalving(t *testing.T) {
	long(t)
	s := newService(t, "CHECKPOINT_SECONDS=60")
	const epochs = 45
	var gap, share []float64
	for seed := range 5 {
		began := time.Now()
		full := s.found(s.search(searched("random", 27, epochs, seed)))
		took := time.Since(began)
		began = time.Now()
		halved := s.found(s.search(searched("asha", 27, epochs, seed)))
		trained := 0
		for i, trial := range halved.Trials {
			trained += trial.Epochs
			if !reflect.DeepEqual(trial.Spec, full.Trials[i].Spec) {
				t.Fatalf("trial %d differs: %v and %v", i, trial.Spec, full.Trials[i].Spec)
			}
			if trial.Status == searches.TrialSucceeded && *trial.Score != *full.Trials[i].Score {
				t.Errorf("seed %d: trial %d scored %v, and %v when it never stopped", seed, i, *trial.Score, *full.Trials[i].Score)
			}
		}
		gap = append(gap, *halved.Best.Score / *full.Best.Score - 1)
		share = append(share, float64(trained)/float64(27*epochs))
		t.Logf("seed %d: in full %.4f (trial %d, %s), halved %.4f (trial %d, %s), %.1f %% worse for %.1f %% of the epochs; hold-out %.4f and %.4f",
			seed, *full.Best.Score, full.Best.Index, took.Round(time.Second), *halved.Best.Score, halved.Best.Index, time.Since(began).Round(time.Second),
			100*gap[seed], 100*share[seed], *full.Best.HoldoutScore, *halved.Best.HoldoutScore)
		if n := s.checkpointed(t, halved.Trials); n > 5 {
			until(t, "old checkpoints to go", func() bool { return s.checkpointed(t, halved.Trials) <= 5 })
		}
	}
	slices.Sort(gap)
	slices.Sort(share)
	t.Logf("medians: %.2f %% worse, %.1f %% of the epochs", 100*gap[2], 100*share[2])
	if !(gap[2] <= 0.05) || share[2] > 0.45 {
		t.Error("the median best is more than 5 % worse, or took more than 45 % of the epochs")
	}
}
