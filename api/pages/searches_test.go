package pages

import (
	"encoding/json"
	"log/slog"
	"testing"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/tuning"
	"polyid-trainer/jobs/searches"
)

func TestSearchesPages(t *testing.T) {
	f := apitest.NewTraining(t, noon)
	log := slog.New(slog.DiscardHandler)
	store := searches.NewStore(f.Storage)
	stepper := &searches.Stepper{Store: store, Jobs: f.Records, Queue: f.Enqueued, Bucket: f.Storage, Now: f.Now, Log: log}
	service := &tuning.Service{Store: store, Stepper: stepper, Jobs: f.Service, Queue: f.Enqueued, Live: f.Told, Now: f.Now, Log: log}
	url := serve(t, httpapi.Config{Now: f.Now}, &Searches{Service: service}, &httpapi.Searches{Service: service}).URL
	apitest.Has(t, apitest.HTML(t, url, "/searches", 200), "Nothing has been searched for yet", "New search")
	_, answer := apitest.Request{Method: "POST", Path: "/v1/searches", Header: map[string]string{"Content-Type": "application/json"}, Body: `{
		"name": "<b>rates</b>", "job": {"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg"], "publish": null, ` + small + `},
		"space": {"learning_rate": {"log": [1e-5, 1e-3]}}, "max_trials": 3}`}.Send(t, url)
	var made searches.View
	if err := json.Unmarshal(answer, &made); err != nil || made.ID == "" {
		t.Fatalf("%s, %v", answer, err)
	}
	if err := stepper.Step(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Update(t.Context(), made.ID, func(s *searches.Search) error {
		held := 0.5
		s.Trials[1].Scores = []float64{0.25}
		s.Best = &searches.Best{Trial: 1, Score: 0.25, HeldOut: &held}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	apitest.Has(t, apitest.HTML(t, url, "/searches", 200), "&lt;b&gt;rates&lt;/b&gt;", "/searches/"+made.ID, "0 of 3 trials ended", "0.25", "0.5")
	apitest.Has(t, apitest.HTML(t, url, "/searches/"+made.ID, 200), "&lt;b&gt;rates&lt;/b&gt;", `"training_job":"tj_`, "search.js")
	apitest.HTML(t, url, "/searches/se_nope", 404)
	apitest.HTML(t, url, "/searches?after=x", 404)
}
