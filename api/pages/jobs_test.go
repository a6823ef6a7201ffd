package pages

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const small = `"model": {"atom_features": 16, "bond_features": 16, "mol_features": 4, "num_messages": 2}, "epochs": 3`

// bench is a server of the pages for training, and of the API beside them.
type bench struct {
	*testing.T
	*apitest.Training
	url string
}

func newBench(t *testing.T, month []records.Charge) *bench {
	t.Helper()
	b := &bench{T: t, Training: apitest.NewTraining(t, noon)}
	area := &Training{Service: b.Service}
	if month != nil {
		area.Charges = ledger(month)
	}
	b.url = serve(t, httpapi.Config{Now: b.Now}, area, &httpapi.TrainingJobs{Service: b.Service}).URL
	return b
}

// create makes a job and returns its id.
func (b *bench) create(body string) string {
	b.Helper()
	resp, answer := apitest.Request{
		Method: http.MethodPost, Path: "/v1/training-jobs", Body: body, Header: map[string]string{"Content-Type": "application/json"},
	}.Send(b.T, b.url)
	var v jobs.View
	if err := json.Unmarshal(answer, &v); err != nil || resp.StatusCode != http.StatusAccepted {
		b.Fatalf("creating a job answers %d %s", resp.StatusCode, answer)
	}
	return v.ID
}

// ledger is what the month of noon used; other months used nothing.
type ledger []records.Charge

func (l ledger) Usage(_ context.Context, month string) ([]records.Charge, error) {
	if month == noon.Format("2006-01") {
		return l, nil
	}
	return nil, nil
}

func TestJobsPage(t *testing.T) {
	b := newBench(t, []records.Charge{{Job: "tj_9", Owner: "ann", Worker: "a:1", Seconds: 7200, USD: 1.5}})
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs", 200), "No model has been trained here yet", "2.00 worker hours", "$1.50")
	one := b.create(`{"dataset": "stereopolymer_input_nopush", "metadata": {"who": "<script>x</script>"}, ` + small + `}`)
	two := b.create(`{"dataset": "polymers_seven_properties", "prediction_columns": ["Tg"], ` + small + `}`)
	if _, err := b.Records.UpdateJob(t.Context(), two, func(j *jobs.Job) error {
		return j.Fail(noon, jobs.Failure{Code: "training_diverged", Detail: "the loss is <NaN>"})
	}); err != nil {
		t.Fatal(err)
	}

	page := apitest.HTML(t, b.url, "/jobs", 200)
	apitest.Has(t, page, one, two, "stereopolymer_input_nopush", "Tg, Tm", "the loss is &lt;NaN&gt;", ">Retry<", "/?from="+one, "!<script>x")
	if strings.Index(page, one) < strings.Index(page, two) {
		t.Error("the newest job is not the first")
	}
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?status=failed", 200), two, "!"+one)
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?status=paused", 200), "No job matches", "!"+one)
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?q=STEREO+tm", 200), one, "!"+two)
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?q=script", 200), one, "!"+two)
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?q=nothing", 200), "No job matches")
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?month=1998-03", 200), "March 1998", "No training in this month", "month=1998-04")
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?status=odd", 404), "no job has that status")
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?month=odd", 404), "2026-01")
	if resp, _ := (apitest.Request{Path: "/jobs?status=odd"}).Send(t, b.url); resp.Header.Get("Content-Type") != apitest.ProblemType {
		t.Errorf("a program is told by %s", resp.Header.Get("Content-Type"))
	}
}

// A search goes on where the first jobs do not match, and says how.
func TestJobsPagePages(t *testing.T) {
	b := newBench(t, nil)
	first := b.create(`{"dataset": "stereopolymer_input_nopush", "metadata": {"name": "needle"}, ` + small + `}`)
	for range jobsShown {
		b.create(`{"dataset": "stereopolymer_input_nopush", ` + small + `}`)
	}
	page := apitest.HTML(t, b.url, "/jobs", 200)
	apitest.Has(t, page, "Older jobs", "!"+first, "!Usage in")
	after, _, _ := strings.Cut(page[strings.Index(page, "/jobs?after="):], `"`)
	apitest.Has(t, apitest.HTML(t, b.url, after, 200), first, "!Older jobs")
	apitest.Has(t, apitest.HTML(t, b.url, "/jobs?q=needle", 200), first)
}

// Whether a page is there can be asked without it.
func TestHead(t *testing.T) {
	b := newBench(t, nil)
	id := b.create(`{"dataset": "stereopolymer_input_nopush", ` + small + `}`)
	for _, path := range []string{"/", "/jobs", "/jobs/" + id} {
		if resp, body := (apitest.Request{Method: http.MethodHead, Path: path}).Send(t, b.url); resp.StatusCode != http.StatusOK || len(body) != 0 {
			t.Errorf("HEAD %s answers %d with %d bytes", path, resp.StatusCode, len(body))
		}
	}
}
