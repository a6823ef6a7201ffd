package httpapi

import (
	"archive/zip"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/registry"
	"polyid-trainer/jobs"
	"polyid-trainer/storage/hub"
)

func (in *inference) list() (models []registry.ModelRevision) {
	in.t.Helper()
	resp, body := apitest.Request{Path: "/v1/models"}.Send(in.t, in.url)
	var l List[registry.ModelRevision]
	if err := json.Unmarshal(body, &l); err != nil || resp.StatusCode != http.StatusOK || l.Object != "list" || l.Data == nil || l.HasMore || l.NextAfter != nil {
		in.t.Fatalf("%d %s, %v", resp.StatusCode, body, err)
	}
	return l.Data
}

func promotion(body string) apitest.Request {
	return apitest.Request{Method: http.MethodPost, Path: "/v1/models/promote", Body: body, Header: map[string]string{"Content-Type": "application/json"}}
}

func TestModels(t *testing.T) {
	in := newInference(t, Config{})
	if models := in.list(); len(models) != 0 {
		t.Errorf("before anything is published: %+v", models)
	}
	one := in.Publish(1)
	if err := in.Hub.CreateTag(t.Context(), testRepo, one, "v1.0.0", ""); err != nil {
		t.Fatal(err)
	}
	// A branch that predicts nothing is no model.
	if err := in.Hub.CreateBranch(t.Context(), testRepo, "notes", one); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Hub.Commit(t.Context(), testRepo, "notes", hub.Commit{Summary: "x", Delete: []string{"config.json"}}); err != nil {
		t.Fatal(err)
	}
	two := in.Publish(2)
	models := in.list()
	if len(models) != 2 {
		t.Fatalf("models %+v", models)
	}
	main, tag := models[0], models[1]
	if main.Revision != "main" || main.Type != "branch" || !main.Default || !main.Loaded || main.LoadedAt == nil || main.Commit != two || main.Error != nil {
		t.Errorf("main is %+v", main)
	}
	if tag.Revision != "v1.0.0" || tag.Type != "tag" || tag.Default || tag.Loaded || tag.LoadedAt != nil || tag.Commit != one {
		t.Errorf("the tag is %+v", tag)
	}
	for _, m := range models {
		var metrics struct {
			OutOfFold map[string]struct{ MAE float64 } `json:"out_of_fold"`
		}
		if err := json.Unmarshal(m.Metrics, &metrics); err != nil || metrics.OutOfFold["Tg"].MAE == 0 {
			t.Errorf("metrics of %s: %s, %v", m.Revision, m.Metrics, err)
		}
		if len(m.Targets) != 2 || m.Targets[0].Name != "Tg" || m.CreatedAt == nil || m.Object != "model" || m.Repo != testRepo {
			t.Errorf("%s is %+v", m.Revision, m)
		}
	}
}

func TestPromote(t *testing.T) {
	in := newInference(t, Config{})
	one, two := in.Publish(1), in.Publish(2)
	promote := func(body string) (p registry.Promotion) {
		t.Helper()
		resp, text := promotion(body).Send(t, in.url)
		if err := json.Unmarshal(text, &p); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s, %v", resp.StatusCode, text, err)
		}
		return p
	}
	for range 2 { // a tag that is there already is as good
		if p := promote(`{"revision": "main", "to": "v2.0.0"}`); p != (registry.Promotion{Object: "promotion", Repo: testRepo, To: "v2.0.0", Type: "tag", Commit: two}) {
			t.Errorf("tagged %+v", p)
		}
	}
	// Back to the first: a new commit on main, which then predicts.
	p := promote(`{"repo": "` + testRepo + `", "revision": "` + one + `", "to": "main"}`)
	if p.Type != "branch" || p.Commit == one || p.Commit == two {
		t.Errorf("promoted %+v", p)
	}
	in.Models.Refresh(t.Context())
	if s := in.Models.Status()[0]; s.Commit != p.Commit {
		t.Errorf("%s predicts, not %s", s.Commit, p.Commit)
	}

	for body, want := range map[string]struct {
		status int
		code   string
	}{
		`{"revision": "` + one + `", "to": "v2.0.0"}`:          {409, "conflict"},
		`{"revision": "v9", "to": "main"}`:                     {404, "not_found"},
		`{"revision": "v9", "to": "v10"}`:                      {404, "not_found"},
		`{"repo": "evil/x", "revision": "main", "to": "main"}`: {403, "forbidden"},
		`{"revision": "main"}`:                                 {422, "invalid"},
		`{"revision": "main", "to": "../x y"}`:                 {422, "invalid"},
		`{"revision": "main", "to": "v3", "force": true}`:      {422, "invalid"},
		`{`: {400, "malformed"},
	} {
		promotion(body).Problem(t, in.url, want.status, want.code)
	}
	apitest.Request{Path: "/v1/models/promote"}.Problem(t, in.url, 405, "method_not_allowed")
}

// An import goes where it is asked to, and is refused with what is wrong with
// the destination. What PolyID saved is listed with what it predicts.
func TestImport(t *testing.T) {
	in := newInference(t, Config{})
	var from jobs.Revision
	var to jobs.Destination
	url := serve(t, Config{}, &Models{Registry: &registry.Registry{Serving: in.Models, Hub: in.Hub, Default: in.Models.Default},
		Import: func(_ context.Context, f jobs.Revision, d jobs.Destination) (*jobs.Publication, error) {
			from, to = f, d
			return &jobs.Publication{Repo: testRepo, Branch: d.Branch, Tag: d.Tag, Commit: "0123", URL: "http://x"}, nil
		}}).URL
	post := func(body string) (int, string) {
		t.Helper()
		resp, text := apitest.Request{Method: http.MethodPost, Path: "/v1/models/import", Body: body, Header: map[string]string{"Content-Type": "application/json"}}.Send(t, url)
		return resp.StatusCode, string(text)
	}
	status, text := post(`{"repo": "anna/hers", "publish": {"branch": "dev", "tag": "v1.0.0", "private": false}}`)
	if status != http.StatusCreated || !strings.Contains(text, `"object":"import"`) || !strings.Contains(text, `"commit":"0123"`) {
		t.Errorf("%d %s", status, text)
	}
	if from != (jobs.Revision{Repo: "anna/hers", Revision: "main"}) || to.Branch != "dev" || to.Tag != "v1.0.0" || to.Private == nil || *to.Private {
		t.Errorf("imports %+v to %+v", from, to)
	}
	if status, text := post(`{"repo": "anna/hers", "publish": {"tag": "one", "repo": "x"}}`); status != http.StatusUnprocessableEntity ||
		!strings.Contains(text, "/publish/tag") || !strings.Contains(text, "/publish/repo") {
		t.Errorf("of a bad destination: %d %s", status, text)
	}

	z, err := zip.OpenReader("../../nn/keras/testdata/ensemble.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	parameters, err := fs.ReadFile(z, "parameters.pk")
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Hub.EnsureRepo(t.Context(), testRepo, false); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Hub.Commit(t.Context(), testRepo, "main", hub.Commit{Summary: "x", Add: []hub.File{hub.Bytes("parameters.pk", parameters)}}); err != nil {
		t.Fatal(err)
	}
	if models := in.list(); len(models) != 1 || len(models[0].Targets) != 2 || models[0].Targets[1].Name != "Tm" {
		t.Errorf("what PolyID saved is listed as %+v", models)
	}
}
