package pages

import (
	"net/http"
	"testing"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/registry"
)

func TestModelsPage(t *testing.T) {
	in := apitest.NewInference(t)
	h := serve(t, httpapi.Config{}, &Models{Registry: &registry.Registry{Serving: in.Models, Hub: in.Hub, Default: in.Default}})
	apitest.Has(t, apitest.HTML(t, h.URL, "/models", http.StatusOK), "No model has been published to")
	one := in.Publish(1)
	if err := in.Hub.CreateTag(t.Context(), apitest.HubRepo, one, "v1.0.0", ""); err != nil {
		t.Fatal(err)
	}
	in.Publish(2)
	page := apitest.HTML(t, h.URL, "/models", http.StatusOK)
	apitest.Has(t, page, "v1.0.0", "main", "default", "loaded", "R² ", "Make default…", `/predict?repo=`, "What main has served", `id="undo"`, "!id=\"compared\"")
	page = apitest.HTML(t, h.URL, "/models?compare="+apitest.HubRepo+"@main&compare="+apitest.HubRepo+"@v1.0.0", http.StatusOK)
	apitest.Has(t, page, `id="compared"`, "main and v1.0.0", "Baseline MAE", "RMSE")
}
