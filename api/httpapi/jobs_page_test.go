package httpapi

import (
	"strings"
	"testing"

	"polyid-trainer/jobs"
)

// html gets a page as a browser does.
func html(t *testing.T, url, path string, status int) string {
	t.Helper()
	resp, body := request{path: path, header: map[string]string{"Accept": "text/html"}}.send(t, url)
	if resp.StatusCode != status || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%s: %d %s\n%s", path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	return string(body)
}

// has fails where a page lacks a text, or holds one that starts with "!".
func has(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		text, not := strings.CutPrefix(text, "!")
		if strings.Contains(page, text) == not {
			t.Errorf("a page where %q is to be: %v\n%s", text, !not, page)
		}
	}
}

func TestJobsPage(t *testing.T) {
	b := newBench(t, func(a *TrainingJobs, _ *Config) {
		a.Charges = ledger{noon.Format("2006-01"): {{Job: "tj_9", Owner: "ann", Worker: "a:1", Seconds: 7200, USD: 1.5}}}
	})
	has(t, html(t, b.url, "/jobs", 200), "No model has been trained here yet", "2.00 worker hours", "$1.50")
	one := b.create(`{"dataset": "stereopolymer_input_nopush", "metadata": {"who": "<script>x</script>"}, ` + small + `}`).ID
	two := b.create(`{"dataset": "polymers_seven_properties", "prediction_columns": ["Tg"], ` + small + `}`).ID
	b.update(two, func(j *jobs.Job) error {
		return j.Fail(noon, jobs.Failure{Code: "training_diverged", Detail: "the loss is <NaN>"})
	})

	page := html(t, b.url, "/jobs", 200)
	has(t, page, one, two, "stereopolymer_input_nopush", "Tg, Tm", "the loss is &lt;NaN&gt;", ">Retry<", "/?from="+one, "!<script>x")
	if strings.Index(page, one) < strings.Index(page, two) {
		t.Error("the newest job is not the first")
	}
	has(t, html(t, b.url, "/jobs?status=failed", 200), two, "!"+one)
	has(t, html(t, b.url, "/jobs?status=paused", 200), "No job matches", "!"+one)
	has(t, html(t, b.url, "/jobs?q=STEREO+tm", 200), one, "!"+two)
	has(t, html(t, b.url, "/jobs?q=script", 200), one, "!"+two)
	has(t, html(t, b.url, "/jobs?q=nothing", 200), "No job matches")
	has(t, html(t, b.url, "/jobs?month=1998-03", 200), "March 1998", "No training in this month", "month=1998-04")
	has(t, html(t, b.url, "/jobs?status=odd", 404), "no job has that status")
	has(t, html(t, b.url, "/jobs?month=odd", 404), "2026-01")
	if resp, _ := (request{path: "/jobs?status=odd"}).send(t, b.url); resp.Header.Get("Content-Type") != problemJSON {
		t.Errorf("a program is told by %s", resp.Header.Get("Content-Type"))
	}
}

// A search goes on where the first jobs do not match, and says how.
func TestJobsPagePages(t *testing.T) {
	b := newBench(t, nil)
	first := b.create(`{"dataset": "stereopolymer_input_nopush", "metadata": {"name": "needle"}, ` + small + `}`).ID
	for range jobsShown {
		b.job()
	}
	page := html(t, b.url, "/jobs", 200)
	has(t, page, "Older jobs", "!"+first, "!Usage in")
	after, _, _ := strings.Cut(page[strings.Index(page, "/jobs?after="):], `"`)
	has(t, html(t, b.url, after, 200), first, "!Older jobs")
	has(t, html(t, b.url, "/jobs?q=needle", 200), first)
}
