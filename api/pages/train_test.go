package pages

import (
	"net/http"
	"testing"

	"polyid-trainer/api/apitest"
)

// TestTrainPagePresets: the page offers every recipe, in words, with its settings.
func TestTrainPagePresets(t *testing.T) {
	b := newBench(t, nil)
	apitest.Has(t, apitest.HTML(t, b.url, "/", http.StatusOK), `value="polyid"`, "Published", `value="accurate"`, "Accurate",
		"other kinds (members: network, dense, trees, neighbours, linear)", `"recipes":[{"recipe":"polyid"`)
}
