package keys_test

import (
	"testing"

	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// The layout is that of every version before: a key that changes loses what is
// stored under it.
func TestLayout(t *testing.T) {
	t.Parallel()
	for have, want := range map[string]string{
		keys.Job("tj_x"):                      "jobs/tj_x/job.json",
		keys.Dataset("tj_x"):                  "jobs/tj_x/dataset.csv",
		keys.Holdout("tj_x"):                  "jobs/tj_x/holdout.csv",
		keys.InitPrefix("tj_x") + "a":         "jobs/tj_x/init/a",
		keys.Prepared("tj_x"):                 "jobs/tj_x/prepared.json",
		keys.ModelPrefix("tj_x") + "a":        "jobs/tj_x/model/a",
		keys.Fold("tj_x", 3):                  "jobs/tj_x/folds/3.json",
		keys.History("tj_x", 3):               "jobs/tj_x/folds/3/history.json",
		keys.Scored("tj_x", 3):                "jobs/tj_x/folds/3/predictions.json",
		keys.Checkpoint("tj_x", 3, 1, 20, 7):  "jobs/tj_x/folds/3/checkpoints/0001-000020-000007.safetensors",
		keys.FoldModel("tj_x", 3, 2):          "jobs/tj_x/folds/3/models/0002.safetensors",
		keys.Webhook("tj_x", "evt_y"):         "jobs/tj_x/webhooks/evt_y.json",
		keys.Usage("2026-01"):                 "usage/2026-01.json",
		keys.Prediction("pj_x"):               "predictions/pj_x/prediction.json",
		keys.PredictionRequest("pj_x"):        "predictions/pj_x/request",
		keys.PredictionResult("pj_x", 1, "y"): "predictions/pj_x/results/0001.y",
		keys.DatasetMeta("ds_x"):              "datasets/ds_x/meta.json",
		keys.DatasetTable("ds_x"):             "datasets/ds_x/table.csv",
		keys.HubLease("a/b"):                  "hub/turns/a--b.json",
	} {
		if have != want {
			t.Errorf("the key is %q, want %q", have, want)
		}
		if err := storage.CheckKey(have); err != nil {
			t.Error(err)
		}
	}
}
