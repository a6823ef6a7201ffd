package predict

import (
	"encoding/json"
	"fmt"
	"io"

	"polyid-trainer/jobs/predictions"
)

// View is a prediction without results, as the API shows it.
func View(p *predictions.Prediction) Response {
	return Response{ID: p.ID, Object: "prediction", Status: p.Status, Counts: p.Counts, Model: p.Model, Error: p.Failure}
}

// WriteResponse writes a prediction as the API shows it, with the JSON results
// that Store.Result opened, which may be larger than memory; nil for none.
func WriteResponse(w io.Writer, p *predictions.Prediction, results io.Reader) error {
	if results == nil {
		body, err := json.Marshal(View(p))
		if err != nil {
			return err
		}
		_, err = w.Write(body)
		return err
	}
	head, err := json.Marshal(struct {
		ID     string             `json:"id"`
		Object string             `json:"object"`
		Status predictions.Status `json:"status"`
		Counts predictions.Counts `json:"counts"`
		Model  predictions.Model  `json:"model"`
		Error  any                `json:"error"`
	}{p.ID, "prediction", p.Status, p.Counts, p.Model, nil})
	if err != nil {
		return err
	}
	// The results are an object too: one closes and the other opens no more.
	head[len(head)-1] = ','
	if _, err := w.Write(head); err != nil {
		return err
	}
	var brace [1]byte
	if _, err := io.ReadFull(results, brace[:]); err != nil || brace[0] != '{' {
		return fmt.Errorf("results of prediction %s: they do not begin as an object (%w)", p.ID, err)
	}
	_, err = io.Copy(w, results)
	return err
}
