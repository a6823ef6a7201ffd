package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		Duration(45): "45 s", Duration(89.6): "90 s", Duration(720): "12 min", Duration(9000): "2.5 h", Duration(3 * 86400): "3.0 days",
		Bytes(999): "999 B", Bytes(17_500_000): "17.5 MB", Bytes(1_000_000): "1 MB",
		Number(0.23456): "0.235", Number(19.94): "19.9", Number(1234.5): "1234", Number(-0.5): "-0.5",
		string(timeTag(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))): `<time datetime="2026-01-02T03:04:05Z">2026-01-02 03:04 UTC</time>`,
		string(timeTag(time.Time{})):                                 "–",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestScores(t *testing.T) {
	got := scores(json.RawMessage(`{"out_of_fold": {"Tm": {"mae": 20.44, "rmse": null, "n_rows": 3, "units": "°C"}, "Tg": {"mae": 9}}}`))
	want := []Score{{Target: "Tg", MAE: "9", RMSE: "–", R2: "–", Baseline: "–"}, {Target: "Tm", Units: "°C", MAE: "20.4", RMSE: "–", R2: "–", Baseline: "–", Rows: 3}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	stack := score(json.RawMessage(`{"out_of_fold": {"Tm": {"mae": 30, "baseline_mae": 30, "members": {"trees": {"mae": 32}, "network": {"mae": null}}}}}`), "Tm")
	if want := []Member{{"network", "–"}, {"trees", "32"}}; !reflect.DeepEqual(stack.Members, want) || !stack.Poor {
		t.Errorf("of a stack no better than the baseline: %+v", stack)
	}
	for _, none := range []string{"null", "", "[1]"} {
		if got := scores(json.RawMessage(none)); got != nil {
			t.Errorf("%q has scores %v", none, got)
		}
	}
}

func TestCompare(t *testing.T) {
	revisions := []json.RawMessage{
		json.RawMessage(`{"out_of_fold": {"Tg": {"mae": 9, "rmse": 12, "r2": 0.8, "n_rows": 3, "units": "K", "members": {"trees": {"mae": 11}}}}}`),
		json.RawMessage(`{"out_of_fold": {"Tg": {"mae": 10, "rmse": 12, "r2": 0.9, "n_rows": 4}}}`),
		nil,
	}
	want := map[string][]Cell{
		"MAE": {{"9", true}, {"10", false}, {"–", false}}, "RMSE": {{"12", false}, {"12", false}, {"–", false}},
		"R²": {{"0.8", false}, {"0.9", true}, {"–", false}}, "Rows": {{"3", false}, {"4", false}, {"–", false}},
		"Baseline MAE": {{"–", false}, {"–", false}, {"–", false}}, "MAE of trees alone": {{"11", false}, {"–", false}, {"–", false}},
	}
	got := compare(revisions, "Tg")
	if len(got) != len(want) || !got[0].First || got[1].First || got[0].Span != len(want) || got[0].Units != "K" {
		t.Errorf("%+v", got)
	}
	for _, line := range got {
		if !reflect.DeepEqual(line.Cells, want[line.Measure]) {
			t.Errorf("%s: %v, want %v", line.Measure, line.Cells, want[line.Measure])
		}
	}
	if got := compare(revisions, "Tm"); got != nil {
		t.Errorf("of a property that none has: %v", got)
	}
}

// A page holds no script or style of its own and escapes what it is given.
func TestDraw(t *testing.T) {
	p := New()
	b, err := p.Draw(Page{Title: "<b>", Template: "error.html", Data: struct {
		Status        int
		Title, Detail string
		Errors        []struct{ Pointer, Detail string }
	}{404, "None", "<script>alert(1)</script>", nil}, Frame: Frame{Nav: []Link{{"/jobs", "Jobs"}}, Active: "/jobs"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script>", "<style", " style=", "onclick="} {
		if strings.Contains(string(b), bad) {
			t.Errorf("the page has %s: %s", bad, b)
		}
	}
	if !strings.Contains(string(b), `<a href="/jobs" aria-current="page">Jobs</a>`) {
		t.Errorf("the navigation does not say where one is: %s", b)
	}
	if _, err := p.Draw(Page{Template: "no.html"}); err == nil {
		t.Error("a template that is not there is drawn")
	}
}

// Assets may be kept for ever under their hash, and not under another.
func TestAssets(t *testing.T) {
	p := New()
	for path, want := range map[string]struct {
		status int
		cache  string
	}{
		p.prefix + "app.css":             {200, "public, max-age=31536000, immutable"},
		"/static/0123456789ab/app.css":   {200, "no-store"},
		"/static/0123456789ab/none.css":  {404, ""},
		"/static/0123456789ab/../web.go": {404, ""},
		"/static/app.css":                {404, ""},
	} {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want.status || want.status == 200 && w.Header().Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d, %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}
