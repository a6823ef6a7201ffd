package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/datasets"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/schedules"
)

// A schedule is made, shown and deleted; when it is due, its job is trained on the
// newest upload of the dataset's name. Every answer is as the document says.
func TestSchedules(t *testing.T) {
	b := newBench(t, nil)
	area := &Schedules{Store: &schedules.Store{Bucket: b.bucket}, Service: b.area.Service}
	h := httptest.NewServer(validate(t, New(Config{Now: func() time.Time { return noon }}, b.area, &Datasets{Library: b.area.Library}, area)))
	t.Cleanup(h.Close)
	b.url = h.URL
	upload := func(rows int) string {
		r := b.post("/v1/datasets?name=mine", polymers(rows))
		r.Header["Content-Type"] = "text/csv"
		_, body := r.Send(t, b.url)
		return decode[datasets.Dataset](t, body).ID
	}
	upload(12)
	resp, body := b.post("/v1/schedules", `{"cron": "@monthly", "dataset": "mine", "job": {`+small+`, "prediction_columns": ["Tg"], "name": "quarterly"}}`).Send(t, b.url)
	made := decode[Schedule](t, body)
	next := time.Date(noon.Year(), noon.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	if resp.StatusCode != http.StatusCreated || !made.NextAt.Equal(next) || made.Last != nil || resp.Header.Get("Location") != "/v1/schedules/"+made.ID {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	newest := upload(14)

	now := next
	runner := &schedules.Runner{Store: area.Store, Make: b.area.MakeScheduled, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	for range 2 {
		if err := runner.Run(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	shown := decode[Schedule](t, func() []byte {
		_, body := apitest.Request{Path: "/v1/schedules/" + made.ID}.Send(t, b.url)
		return body
	}())
	if shown.Last == nil || shown.Last.Job == nil || shown.Last.Error != nil || !shown.NextAt.Equal(next.AddDate(0, 1, 0)) {
		t.Fatalf("%+v", shown)
	}
	page, err := b.store.Jobs(t.Context(), jobs.Filter{})
	if err != nil || len(page.Jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(page.Jobs), err)
	}
	if j := page.Jobs[0]; j.ID != *shown.Last.Job || j.Spec.Dataset[0] != newest || j.Owner != access.Local || j.Spec.Epochs != 3 {
		t.Errorf("%+v", j)
	}

	_, body = apitest.Request{Path: "/v1/schedules"}.Send(t, b.url)
	if l := decode[List[Schedule]](t, body); len(l.Data) != 1 || l.HasMore {
		t.Errorf("%s", body)
	}
	if resp, body := (apitest.Request{Method: http.MethodDelete, Path: "/v1/schedules/" + made.ID}).Send(t, b.url); resp.StatusCode != http.StatusNoContent {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	apitest.Request{Path: "/v1/schedules/" + made.ID}.Problem(t, b.url, http.StatusNotFound, "not_found")
}

// Everything that is wrong with a schedule is said at once.
func TestBadSchedules(t *testing.T) {
	b := newBench(t, nil)
	b.url = serve(t, Config{}, b.area, &Schedules{Store: &schedules.Store{Bucket: b.bucket}, Service: b.area.Service}).URL
	for body, want := range map[string][]string{
		`{"cron": "never", "dataset": "polymers_seven_properties", "job": {"epochs": 0, "typo": 1}}`: {"/cron", "/job/epochs", "/job/typo"},
		`{"cron": "@daily", "job": {}}`:                      {"/dataset", "is required"},
		`{"cron": "@daily", "job": {"dataset": "nope"}}`:     {"/dataset", "nope"},
		`{"cron": "@daily", "job": {"dataset": ["a", "b"]}}`: {"/job/dataset", "one dataset"},
	} {
		resp, answer := b.post("/v1/schedules", body).Send(t, b.url)
		if resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", body, resp.StatusCode, answer)
		}
		for _, w := range want {
			if !strings.Contains(string(answer), w) {
				t.Errorf("%s: %s does not name %s", body, answer, w)
			}
		}
	}
}
