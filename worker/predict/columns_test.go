package predict_test

import (
	"strings"
	"testing"

	"polyid-trainer/jobs"
	"polyid-trainer/worker/predict"
)

// A request may call the fields of its inputs as its table does.
func TestRequestColumns(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	q, err := predict.ReadRequest(strings.NewReader(`{"columns": {"smiles_repeat_unit": "SMILES", "dp": "n"}, "inputs": [
		{"SMILES": "`+lactide+`", "n": 7}, {"smiles_repeat_unit": "`+lactide+`", "dp": 7}, {"smiles": "`+lactide+`"}]}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	out := b.answer(q).Results
	if out[0].Error != nil || out[0].SMILES != out[1].SMILES || out[0].Predictions["Tg"].Mean != out[1].Predictions["Tg"].Mean {
		t.Errorf("by its own names %+v, by ours %+v", out[0], out[1])
	}
	if e := out[2].Error; e == nil || e.Code != "invalid_input" {
		t.Errorf("a name that nobody stated: %+v", out[2])
	}
	_, err = predict.ReadRequest(strings.NewReader(`{"columns": {"smiles_repeat_unit": "S", "smiles_polymer": "S"}, "inputs": [{"S": "CC"}]}`), 0)
	if jobs.ErrorCode(err) != jobs.Invalid {
		t.Errorf("one column for two fields: %v", err)
	}
}
