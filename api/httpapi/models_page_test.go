package httpapi

import (
	"net/http"
	"testing"
)

func TestModelsPage(t *testing.T) {
	in := newInference(t, Config{})
	has(t, html(t, in.url, "/models", http.StatusOK), "No model has been published to")
	one := in.publish(1)
	if err := in.hub.CreateTag(t.Context(), testRepo, one, "v1.0.0", ""); err != nil {
		t.Fatal(err)
	}
	in.publish(2)
	page := html(t, in.url, "/models", http.StatusOK)
	has(t, page, "v1.0.0", "main", "default", "loaded", "Tg <span", "Promote …", `/predict?repo=`, "!compared")
	page = html(t, in.url, "/models?compare="+testRepo+"@main&compare="+testRepo+"@v1.0.0", http.StatusOK)
	has(t, page, `id="compared"`, "main and v1.0.0", "RMSE")
}
