package main

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
)

// TestLongMainJob is the job that the project is for, on real input: PolyID's
// network, five folds of its table, enough epochs to be better than the median,
// published and predicted from, with everything embedded.
func TestLongMainJob(t *testing.T) {
	long(t)
	s := newService(t, "CHECKPOINT_SECONDS=60")
	began := time.Now()
	out, errs := command(t, 0, `{"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg", "Tm"], "epochs": 40}`,
		"train", "--server", s.url, "--watch", "-")
	t.Logf("trained in %s\n%s\n%s", time.Since(began).Round(time.Second), out, errs)
	var list struct {
		Data []struct {
			ID      string
			Metrics struct {
				OutOfFold map[string]struct {
					MAE      float64 `json:"mae"`
					R2       float64 `json:"r2"`
					Rows     int     `json:"n_rows"`
					Baseline float64 `json:"baseline_mae"`
				} `json:"out_of_fold"`
			}
			Published *struct{ Commit string }
		}
	}
	s.call("GET", "/v1/training-jobs", "", &list)
	if len(list.Data) != 1 || list.Data[0].Published == nil {
		t.Fatalf("the jobs are %+v", list.Data)
	}
	for _, target := range []string{"Tg", "Tm"} {
		m := list.Data[0].Metrics.OutOfFold[target]
		if m.Rows < 100 || m.MAE >= 0.8*m.Baseline || m.R2 < 0.3 {
			t.Errorf("%s out of fold: %+v, want it well below the median's error", target, m)
		}
	}
	var answer struct {
		Status  string
		Results []struct {
			Predictions map[string]struct{ Mean float64 }
			Error       json.RawMessage
		}
	}
	// Polylactic acid and polyhydroxybutyrate, whose glass transitions are about
	// 55 and 5 °C.
	body := `{"inputs": [{"smiles_repeat_unit": "*OC(C)C(=O)*"}, {"smiles_repeat_unit": "*OC(C)CC(=O)*"}]}`
	var accepted struct{ ID string }
	if status := s.call("POST", "/v1/predictions", body, &accepted); status != 202 {
		t.Fatalf("POST /v1/predictions: %d", status)
	}
	until(t, "the prediction", func() bool {
		s.call("GET", "/v1/predictions/"+accepted.ID, "", &answer)
		return answer.Status == "succeeded"
	})
	if len(answer.Results) != 2 || answer.Results[0].Predictions["Tg"].Mean <= answer.Results[1].Predictions["Tg"].Mean {
		t.Errorf("predicted %+v", answer.Results)
	}
	t.Logf("Tg of polylactic acid %.1f °C, of polyhydroxybutyrate %.1f °C",
		answer.Results[0].Predictions["Tg"].Mean, answer.Results[1].Predictions["Tg"].Mean)
}

// TestLongQuickstart runs the tour twice: the second one leaves the first one's
// model where it is.
func TestLongQuickstart(t *testing.T) {
	long(t)
	_, port, _ := net.SplitHostPort(freeAddress(t))
	dir := t.TempDir()
	for i, repo := range []string{"polyid/polyid-models", "polyid/quickstart"} {
		began := time.Now()
		out, errs := command(t, 0, "", "quickstart", "--exit", "--port", port, "--data-dir", dir)
		t.Logf("run %d took %s\n%s", i+1, time.Since(began).Round(time.Second), out)
		for _, want := range []string{"demonstration", "polylactic acid", "R²", "predicted with " + repo, "/docs"} {
			if !strings.Contains(strings.ReplaceAll(out, "poly(lactic acid)", "polylactic acid"), want) {
				t.Errorf("run %d does not say %q", i+1, want)
			}
		}
		if !strings.Contains(errs, "fold 3: epoch 10 of 10") {
			t.Errorf("run %d shows no progress: %q", i+1, errs)
		}
	}
}

// TestLongLoad asks for many jobs and predictions while PolyID's network trains
// on all cores of the same process. None is lost or doubled, and requests are
// answered quickly all the while.
func TestLongLoad(t *testing.T) {
	long(t)
	s := newService(t, "CHECKPOINT_SECONDS=60")
	s.succeeds(s.submit(small(1, "")).ID) // something to predict with
	busy := s.submit([]byte(`{"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg", "Tm"], "publish": null}`))
	s.reaches(busy.ID, "both cores to train", func(v *jobs.View) bool {
		running := 0
		for _, f := range v.Folds {
			if f.Status == jobs.FoldRunning {
				running++
			}
		}
		return running == 2
	})

	const trainings, predictions = 200, 10_000
	post := func(path, body string, times []time.Duration) (id string, _ []time.Duration) {
		var accepted struct{ ID string }
		began := time.Now()
		if status := s.call("POST", path, body, &accepted); status != 202 {
			t.Fatalf("POST %s: %d", path, status)
		}
		return accepted.ID, append(times, time.Since(began))
	}
	p99 := func(what string, times []time.Duration) {
		slices.Sort(times)
		at := times[len(times)*99/100]
		t.Logf("POST %s, %d times while two folds train: median %s, 99th percentile %s, longest %s",
			what, len(times), times[len(times)/2], at, times[len(times)-1])
		if at > 50*time.Millisecond {
			t.Errorf("the 99th percentile of POST %s is %s, more than 50 ms", what, at)
		}
	}
	asked := map[string]bool{}
	var times []time.Duration
	var id string
	for range predictions {
		id, times = post("/v1/predictions", `{"inputs": [{"smiles_repeat_unit": "*OC(C)C(=O)*"}]}`, times)
		asked[id] = true
	}
	p99("/v1/predictions", times)
	times = nil
	var jobIDs []string
	for range trainings {
		id, times = post("/v1/training-jobs", string(small(1, `, "publish": null`)), times)
		jobIDs = append(jobIDs, id)
	}
	p99("/v1/training-jobs", times)
	for id := range asked {
		var p struct{ Status string }
		until(t, "a prediction", func() bool {
			s.call("GET", "/v1/predictions/"+id, "", &p)
			return p.Status == "succeeded" || p.Status == "failed"
		})
		if p.Status != "succeeded" {
			t.Errorf("prediction %s %s", id, p.Status)
		}
	}
	if len(asked) != predictions {
		t.Errorf("%d predictions have %d ids", predictions, len(asked))
	}
	if v := s.job(busy.ID); v.Status != jobs.Training {
		t.Errorf("the job that trains is %s by now: it kept no core busy", v.Status)
	}
	if status := s.move(busy.ID, "cancel"); status != 200 {
		t.Fatalf("cancel: %d", status)
	}
	began := time.Now()
	for _, id := range jobIDs {
		v := s.succeeds(id)
		for _, f := range v.Folds {
			if f.Attempt != 1 {
				t.Errorf("fold %d of %s was trained %d times", f.Index, id, f.Attempt)
			}
		}
	}
	t.Logf("%d small jobs done %s after the cores were free", trainings, time.Since(began).Round(time.Second))
}
