package publish_test

import (
	"archive/zip"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/storage/hub"
	"polyid-trainer/worker/predict"
)

// upload commits what PolyID saved to a repository.
func (b *bench) upload(to string) (commit string) {
	b.Helper()
	z, err := zip.OpenReader("../../nn/keras/testdata/ensemble.zip")
	if err != nil {
		b.Fatal(err)
	}
	defer z.Close()
	c := hub.Commit{Summary: "Upload folder"}
	for _, f := range z.File {
		body, err := fs.ReadFile(z, f.Name)
		if err != nil {
			b.Fatal(err)
		}
		c.Add = append(c.Add, hub.Bytes(f.Name, body))
	}
	if err := b.hub.EnsureRepo(b.Context(), to, false); err != nil {
		b.Fatal(err)
	}
	if commit, err = b.hub.Commit(b.Context(), to, "main", c); err != nil {
		b.Fatal(err)
	}
	return commit
}

// What PolyID saved becomes a revision of ours that predicts the same, with a
// card that claims nothing; again, it is the same commit.
func TestImport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	saved := b.upload("anna/hers")
	from := jobs.Revision{Repo: "anna/hers", Revision: "main"}
	to := jobs.Destination{Tag: "v1.0.0"}
	p := b.publisher("a:1")
	done, err := p.Import(t.Context(), from, to, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if done.Repo != repo || done.Branch != "main" || done.Commit != b.head("main") || done.Commit != b.head("v1.0.0") {
		t.Errorf("published as %+v", done)
	}
	if again, err := p.Import(t.Context(), from, to, t.TempDir()); err != nil || again.Commit != done.Commit {
		t.Errorf("again it is %+v, %v", again, err)
	}
	tree, err := b.hub.Tree(t.Context(), repo, "main")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range tree {
		if !strings.HasPrefix(e.Path, ".git") {
			paths = append(paths, e.Path)
		}
	}
	slices.Sort(paths)
	want := []string{"README.md", "config.json", "metrics.json"}
	for _, fold := range []string{"model_fold_0", "model_fold_1"} {
		for _, file := range []string{"model.h5", "model.safetensors", fold + ".h5", fold + "_data.pk", "preprocessor.pk", "scaler.pk"} {
			want = append(want, fold+"/"+file)
		}
	}
	want = append(want, "parameters.pk", "polyid_0_1_2_4.py")
	if !slices.Equal(paths, want) {
		t.Errorf("published %q, want %q", paths, want)
	}
	if log, err := b.hub.Log(t.Context(), repo, "main"); err != nil || log[0].Title != "Imported models (2 folds)" || !strings.Contains(log[0].Message, "Imported-From: anna/hers@"+saved) {
		t.Errorf("the commit says %+v, %v", log[0], err)
	}

	models := predict.NewModels(predict.ModelsConfig{Hub: b.hub, NewEngine: cpu.New, Default: jobs.Revision{Repo: repo}, Log: slog.New(slog.DiscardHandler),
		Allow: func(string) bool { return true }})
	predictor := predict.New(predict.Config{Models: models, Log: slog.New(slog.DiscardHandler)})
	var values [2]float64
	for i, ref := range []jobs.Revision{{}, from} {
		out, err := predictor.Answer(t.Context(), &predict.Request{Model: ref, Inputs: []predict.Input{{RepeatUnit: "*OC(C)C(=O)*"}}})
		if err != nil {
			t.Fatal(err)
		}
		values[i] = float64(out.Results[0].Predictions["Tg"].Mean)
	}
	if values[0] != values[1] {
		t.Errorf("published it predicts %v, as PolyID saved it %v", values[0], values[1])
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.upload("anna/hers")
	_, files := tiny(t, 1)
	b.published(b.job(files, jobs.Destination{Tag: "v1.0.0"}))
	if err := b.hub.EnsureRepo(t.Context(), "anna/empty", false); err != nil {
		t.Fatal(err)
	}
	p := b.publisher("a:1")
	p.Allow = func(to string) bool { return to == repo }
	hers := jobs.Revision{Repo: "anna/hers", Revision: "main"}
	for name, x := range map[string]struct {
		from jobs.Revision
		to   jobs.Destination
		code jobs.Code
		want string
	}{
		"forbidden":  {hers, jobs.Destination{Repo: "ben/his"}, jobs.Forbidden, "HUB_ALLOW"},
		"tag taken":  {hers, jobs.Destination{Tag: "v1.0.0"}, jobs.Conflict, "another tag"},
		"no repo":    {jobs.Revision{Repo: "anna/none", Revision: "main"}, jobs.Destination{}, jobs.NotFound, "anna/none"},
		"no branch":  {jobs.Revision{Repo: "anna/hers", Revision: "dev"}, jobs.Destination{}, jobs.NotFound, "dev"},
		"no model":   {jobs.Revision{Repo: "anna/empty", Revision: "main"}, jobs.Destination{}, jobs.Invalid, "no ensemble that PolyID saved"},
		"our format": {jobs.Revision{Repo: repo, Revision: "main"}, jobs.Destination{}, jobs.Invalid, "promote"},
	} {
		before := b.head("main")
		_, err := p.Import(t.Context(), x.from, x.to, t.TempDir())
		if jobs.ErrorCode(err) != x.code || !strings.Contains(err.Error(), x.want) || b.head("main") != before {
			t.Errorf("%s: %v, want %s with %q", name, err, x.code, x.want)
		}
	}
}
