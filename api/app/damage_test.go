package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/jobs"
)

// A server whose records are all damaged starts, lists nothing of them, and says
// which they are.
func TestStartsOnDamagedRecords(t *testing.T) {
	dir := t.TempDir()
	job, half, table, prediction := jobs.NewID(jobs.TrainingJobPrefix), jobs.NewID(jobs.TrainingJobPrefix), jobs.NewID(jobs.DatasetPrefix), jobs.NewID(jobs.PredictionPrefix)
	write := func(name, content string) {
		t.Helper()
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"jobs/" + job + "/job.json": "", "index/active/" + job: "", "index/jobs/" + mirrored(job): "",
		"jobs/" + half + "/job.json": `{"schema":1,"version":1,"record":{"id":"` + half + `","state":"training","spec":{},"events":[],"data":{"folds":[{}]}}}`,
		"index/active/" + half:       "", "index/jobs/" + mirrored(half): "", "jobs/" + half + "/folds/0.json": "{",
		"datasets/" + table + "/meta.json":               `{"schema":9}`,
		"predictions/" + prediction + "/prediction.json": "\x00\x00",
		"index/predictions/" + prediction:                "",
		"usage/2026-01.json":                             "nonsense",
		"idempotency/" + strings.Repeat("0", 64):         "",
	} {
		write("objects/"+name, content)
	}
	write("hub/repos/anna/hers.git/settings.json", "{")
	write("redis/snapshot", "[{")
	a, _ := start(t, Config{DataDir: dir})
	get := func(path string, status int, want ...string) {
		t.Helper()
		resp, err := http.Get(a.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status {
			t.Errorf("GET %s = %d %s, %v, want %d", path, resp.StatusCode, body, err, status)
		}
		for _, w := range want {
			if !strings.Contains(string(body), w) {
				t.Errorf("GET %s = %s, which lacks %s", path, body, w)
			}
		}
	}
	get("/v1/training-jobs", 200, `"damaged":`)
	get("/v1/datasets", 200, `"damaged":1`, "stereopolymer_input_nopush")
	get("/v1/training-jobs/"+job, 500, `"code":"record_damaged"`, "jobs/"+job+"/job.json", "it is empty")
	get("/v1/datasets/"+table, 500, `"code":"record_damaged"`, "run a newer program")
	get("/v1/predictions/"+prediction, 500, `"code":"record_damaged"`)
	get("/v1/usage?month=2026-01", 500, `"code":"record_damaged"`)
	get("/v1/usage", 200)
	get("/jobs?month=2026-01", 200, "left out")
	get("/", 200)
	get("/readyz", 200, `"status":"ok"`, "jobs/"+job+"/job.json is damaged: it is empty", "settings.json of anna/hers is damaged")
	get("/metrics", 200, "polyid_damaged_records ")
}

// mirrored is how the index of jobs names one, newest first.
func mirrored(id string) string {
	const order = "0123456789abcdefghijklmnopqrstuvwxyz"
	prefix, rest, _ := strings.Cut(id, "_")
	return prefix + "_" + strings.Map(func(r rune) rune { return rune(order[len(order)-1-strings.IndexRune(order, r)]) }, rest)
}
