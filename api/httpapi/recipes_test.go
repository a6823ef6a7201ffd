package httpapi

import (
	"encoding/json"
	"testing"

	"polyid-trainer/api/apitest"
	"polyid-trainer/jobs"
)

// TestRecipes: what the route lists is what a job that names it is resolved to.
func TestRecipes(t *testing.T) {
	b := newBench(t, nil)
	_, body := apitest.Request{Path: "/v1/recipes"}.Send(t, b.url)
	var list struct {
		Data []struct {
			Name     string
			Settings jobs.Spec
		}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if len(list.Data) != 2 || list.Data[0].Name != "polyid" || list.Data[1].Name != "accurate" {
		t.Fatalf("recipes: %s", body)
	}
	if a := list.Data[1].Settings; a.Stack == nil || len(a.Stack.Members) == 0 || !a.Chains.Periodic {
		t.Errorf("the accurate recipe does not say what it sets: %s", body)
	}
}
