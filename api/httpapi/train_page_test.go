package httpapi

import (
	"net/http"
	"testing"
)

// TestTrainPagePresets: the page offers every recipe, in words, with its settings.
func TestTrainPagePresets(t *testing.T) {
	b := newBench(t, nil)
	has(t, html(t, b.url, "/", http.StatusOK), `value="polyid"`, "Published", `value="accurate"`, "Accurate",
		"other kinds (members: network, dense, trees, neighbours, linear)", `"recipes":[{"recipe":"polyid"`)
}
