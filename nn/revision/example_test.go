package revision_test

import (
	"fmt"

	"polyid-trainer/nn/revision"
)

// Which files of a repository a client that predicts has to download.
func ExampleWanted() {
	for _, path := range []string{revision.ModelPath(0), revision.ConfigPath, revision.PredictionsPath, "notes.txt"} {
		fmt.Println(path, "wanted:", revision.Wanted(path), "replaced by the next revision:", revision.Owns(path))
	}
	// Output:
	// model_fold_0/model.safetensors wanted: true replaced by the next revision: true
	// config.json wanted: true replaced by the next revision: true
	// predictions.csv wanted: true replaced by the next revision: true
	// notes.txt wanted: false replaced by the next revision: false
}
