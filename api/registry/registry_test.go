package registry_test

import (
	"testing"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/registry"
)

// Every commit that holds a model is listed, with what names it; a promotion can
// be looked at before it is made, and undone by promoting what was there before.
func TestVersions(t *testing.T) {
	in := apitest.NewInference(t)
	r := &registry.Registry{Serving: in.Models, Hub: in.Hub, Default: in.Default}
	if all, err := r.Versions(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("before anything is published: %+v, %v", all, err)
	}
	one, two := in.Publish(1), in.Publish(2)
	if err := in.Hub.CreateTag(t.Context(), apitest.HubRepo, one, "v1.0.0", ""); err != nil {
		t.Fatal(err)
	}
	all, err := r.Versions(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	now, before := all[0], all[1]
	if now.Commit != two || now.Revision != "main" || !now.Default || now.Branches[0] != "main" || now.Title == "" || now.Date.IsZero() {
		t.Errorf("what is served is %+v", now)
	}
	if before.Commit != one || before.Revision != "v1.0.0" || before.Default || len(before.Branches) != 0 || before.History[0] != "main" || len(before.Targets) != 2 {
		t.Errorf("what was served before is %+v", before)
	}
	d, err := r.Difference(t.Context(), "", "v1.0.0", "main")
	if err != nil || d.Commit != one || d.WithCommit != two || d.Same || len(d.Lost) != 0 || len(d.Properties) != 2 || d.Properties[0].Before == nil || d.Properties[0].After == nil {
		t.Errorf("the difference is %+v, %v", d, err)
	}
	if d, err := r.Difference(t.Context(), "", "v1.0.0", "stable"); err != nil || d.WithCommit != "" || len(d.Gained) != 2 {
		t.Errorf("beside a name that nothing has: %+v, %v", d, err)
	}
	if _, err := r.Difference(t.Context(), "", "v9", "main"); err == nil {
		t.Error("a revision that is not there is compared")
	}
	p, err := r.Promote(t.Context(), "", one, "main")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := r.Difference(t.Context(), "", one, "main"); err != nil || !d.Same || d.WithCommit != p.Commit {
		t.Errorf("after it was promoted: %+v, %v", d, err)
	}
	all, err = r.Versions(t.Context())
	if err != nil || len(all) != 3 || all[0].Commit != p.Commit || !all[0].Default || all[1].Commit != two || all[1].Default {
		t.Errorf("after it was promoted: %d versions, %v", len(all), err)
	}
}
