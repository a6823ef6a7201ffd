package predict

import (
	"context"
	"io"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
)

// Summary is what an answered CSV says besides its rows.
type Summary struct {
	Model   predictions.Model
	Counts  predictions.Counts
	Metrics revision.Scores // nil unless the file has the targets measured
}

// AnswerCSV predicts the rows of a CSV at once and writes it with the
// predictions behind its columns. Errors are those of [Models.Use], and of code
// Invalid or TooLarge for a file that cannot be read; nothing was written then.
func (p *Predictor) AnswerCSV(ctx context.Context, ref jobs.Revision, r io.Reader, w io.Writer) (*Summary, error) {
	began := p.Now()
	model, done, err := p.Models.Use(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer done()
	t, err := readTable(ctx, model, r)
	if err != nil {
		return nil, err
	}
	out, err := newCSVWriter(w, t.header(), model)
	if err != nil {
		return nil, err
	}
	s := &Summary{Model: named(ref, model, p.Models.Default)}
	var measured []revision.Prediction
	err = run(ctx, model, p.all, len(t.sheet.Rows), ensemble.Together, t.polymer(model), func(i int, r Result) error {
		count(&s.Counts, r)
		if m, ok := t.scored(model, i, r); ok {
			measured = append(measured, m)
		}
		return out.write(t.cells(i), r)
	})
	if err != nil {
		return nil, err
	}
	s.Metrics = revision.Compare(model.Config.Targets, measured, model.level())
	p.observe(s.Counts, began)
	return s, out.finish()
}
