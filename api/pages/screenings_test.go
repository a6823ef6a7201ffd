package pages

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/screening"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/results"
	"polyid-trainer/jobs/screenings"
)

// The form offers datasets, and a screening shows its best rows as text, which the
// script draws: what users wrote is escaped everywhere.
func TestScreeningPages(t *testing.T) {
	f := apitest.NewTraining(t, noon)
	ctx := t.Context()
	d, err := f.Library.AddLibrary(ctx, strings.NewReader("name,smiles_repeat_unit\n<i>a</i>,*CC*\nb,*CCO*\n"), "<b>units</b>")
	if err != nil {
		t.Fatal(err)
	}
	store := screenings.NewStore(f.Storage, f.Now)
	service := &screening.Service{
		Store: store, Queue: f.Enqueued, Bucket: f.Storage, Library: f.Library, Keys: f.Keys, Mechanism: func(string) error { return nil }, Now: f.Now, Log: slog.New(slog.DiscardHandler),
		Models: func(context.Context, jobs.Revision) (*screening.Revision, error) {
			return &screening.Revision{Repo: apitest.HubRepo, Commit: "0123456789", Dir: fstest.MapFS{}, Targets: []screenings.Target{{Name: "Tg", Units: "K"}}, Level: "90"}, nil
		},
	}
	area := &Screenings{Service: service, Default: jobs.Revision{Repo: apitest.HubRepo, Revision: "main"}, Mechanisms: []string{"ester"}}
	url := serve(t, httpapi.Config{Now: f.Now}, area, &httpapi.Screenings{Service: service}).URL
	apitest.Has(t, apitest.HTML(t, url, "/screen", 200), "Nothing has been screened yet", d.ID, "&lt;b&gt;units&lt;/b&gt; (2 rows)", "ester", "csv.gz", "screen.js")

	x, err := service.Submit(ctx, screening.Request{Spec: screenings.Spec{Input: screenings.Input{Dataset: d.ID}, Name: "<b>hot</b>", Where: "Tg > 1", OrderBy: "-Tg", Limit: 5, Format: screenings.NDJSON}})
	if err != nil {
		t.Fatal(err)
	}
	apitest.Has(t, apitest.HTML(t, url, "/screen", 200), "&lt;b&gt;hot&lt;/b&gt;", "/screenings/"+x.ID, "0 of 2 rows", "queued")
	apitest.Has(t, apitest.HTML(t, url, "/screenings/"+x.ID, 200), "&lt;b&gt;hot&lt;/b&gt;", "Tg &gt; 1", "No row is known yet", "screening.js")

	finish(t, service, x, []string{"<i>a</i>", "*CC*", "412.26", "8.13", "400", "420", "0", "true", "0.5", ""})
	page := apitest.HTML(t, url, "/screenings/"+x.ID, 200)
	apitest.Has(t, page, "The best rows", `data-smiles="*CC*"`, "&lt;i&gt;a&lt;/i&gt;", "Tg (K)", "412 ± 8.13", "/v1/screenings/"+x.ID+"/results", "Download as ndjson", "!Tg_pred_std", "!<th scope=\"col\">error")
	apitest.HTML(t, url, "/screenings/sc_nope", 404)
	apitest.HTML(t, url, "/screen?after=x", 404)
}

// finish gives a screening finished results.
func finish(t *testing.T, s *screening.Service, x *screenings.Screening, rows ...[]string) {
	t.Helper()
	columns, problems := screenings.NewColumns(&x.Spec, &x.Model, &x.Source)
	if problems != nil {
		t.Fatal(problems)
	}
	out := results.NewChunkWriter(t.Context(), s.Bucket, func(n int) string { return keys.ScreeningChunk(x.ID, 1, n) })
	encoder, err := results.NewEncoder(x.Spec.Format, columns, out)
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range rows {
		if err := encoder.Write(cells); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{encoder, out} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Store.Update(t.Context(), x.ID, func(x *screenings.Screening) error {
		x.Status, x.FinishedAt = screenings.Succeeded, noon.Add(time.Minute)
		x.Result = &screenings.Result{Attempt: 1, Rows: int64(len(rows)), Bytes: out.Bytes, SHA256: out.SHA256(), Chunks: out.Sizes}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
