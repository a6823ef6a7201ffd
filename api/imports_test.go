package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "polyid-trainer/"

// allowed is the whole import graph of the project: what each package may
// import of the others. Data flows from chemistry to the network to the jobs;
// nothing below jobs knows Redis or HTTP, and siblings never meet.
var allowed = map[string][]string{
	"featurize/mol": {},

	"nn/kernel": {},

	"data": {},

	"storage": {},

	"storage/atomicfile": {},

	"featurize/smiles": {"featurize/mol"},

	"featurize/polymer": {"featurize/mol", "featurize/smiles"},

	"featurize": {"featurize/mol", "featurize/smiles"},

	"featurize/structure": {"data", "featurize/mol", "featurize/smiles", "featurize/polymer"},

	"featurize/descriptor": {"featurize/mol"},

	"nn/sparse": {},

	"nn/safetensors": {},

	"nn/trees": {"nn/sparse"},

	"nn/stack": {"nn/safetensors", "nn/sparse", "nn/trees", "featurize", "featurize/descriptor", "featurize/mol"},

	"nn/plan": {"featurize"},

	"nn": {"featurize", "nn/plan"},

	"nn/global100": {"nn", "nn/plan"},

	"nn/internal/dropout": {},

	"nn/cpu": {"nn", "nn/plan", "nn/kernel", "nn/global100", "nn/internal/dropout"},

	"nn/cuda": {"nn", "nn/plan", "nn/kernel", "nn/global100", "nn/internal/dropout"},

	"nn/train": {"nn", "nn/plan"},

	"nn/dataset": {"nn", "nn/plan", "featurize", "data"},

	"nn/checkpoint": {"storage/atomicfile", "nn", "nn/train", "nn/safetensors", "featurize", "data"},

	"nn/keras": {"nn", "nn/train", "nn/checkpoint", "nn/keras/internal/hdf5", "nn/keras/internal/pickle", "featurize", "data"},

	"nn/ensemble": {"nn", "nn/plan", "nn/checkpoint", "featurize", "data"},

	"nn/revision": {"nn", "nn/train", "nn/stack", "nn/checkpoint", "nn/ensemble", "nn/keras", "nn/revision/internal/plot", "featurize", "data"},

	"storage/file": {"storage", "storage/atomicfile"},

	"storage/s3": {"storage"},

	"storage/storagetest": {"storage"},

	"storage/record": {"storage"},

	"storage/probe": {"storage"},

	"storage/backend": {"storage", "storage/file", "storage/s3"},

	"storage/hub": {"storage/atomicfile"},

	"storage/hub/hubserver": {"storage/hub", "storage/atomicfile"},

	"data/library": {"data", "storage"},

	"jobs/expression": {},
	"jobs/screenings": {"jobs/fairshare", "data", "data/library", "jobs", "jobs/access", "jobs/expression", "jobs/keys", "storage", "storage/record"},
	"api/screening":   {"api/datasets", "data/library", "jobs", "jobs/expression", "jobs/idempotency", "jobs/keys", "jobs/results", "jobs/screenings", "storage"},
	"jobs/results":    {"jobs/expression", "jobs/screenings", "storage"},
	"worker/screen":   {"data", "data/library", "featurize", "featurize/smiles", "jobs", "jobs/keys", "jobs/results", "jobs/screenings", "nn", "storage", "worker/predict"},

	"jobs/lease": {},

	"jobs/quota": {},

	"jobs": {"jobs/fairshare", "nn/ensemble", "nn/stack", "data", "featurize", "featurize/structure", "nn", "nn/train"},

	"jobs/access": {"jobs"},

	"jobs/keys": {},

	"jobs/tokens": {"jobs", "jobs/access", "jobs/keys", "storage", "storage/record"},

	"jobs/audit": {"jobs", "jobs/keys", "storage"},

	"jobs/fairshare": {},

	"jobs/schedules": {"jobs", "jobs/access", "jobs/keys", "storage", "storage/record"},

	"jobs/idempotency": {"jobs", "jobs/keys", "storage", "storage/record"},

	"jobs/records": {"jobs", "jobs/access", "storage", "storage/record", "jobs/keys"},

	"jobs/redisjobs": {"jobs", "jobs/fairshare", "storage/atomicfile"},

	"jobs/localqueue": {"jobs"},

	"jobs/predictions": {"jobs", "jobs/access", "storage", "storage/record", "jobs/keys"},

	"jobs/retention": {"jobs", "storage", "jobs/keys"},

	"jobs/search":   {"jobs"},
	"jobs/searches": {"data", "jobs", "jobs/access", "jobs/keys", "jobs/search", "storage", "storage/record"},

	"worker/memory": {},

	"worker/runner": {"jobs/screenings", "worker/screen", "worker/memory", "jobs", "jobs/records", "jobs/redisjobs", "storage", "storage/record", "nn", "featurize/structure", "worker/pipeline"},

	"worker/predict": {"nn/plan", "featurize/smiles", "nn/stack", "jobs", "jobs/predictions", "nn", "nn/train", "nn/checkpoint", "nn/ensemble", "nn/keras", "nn/revision", "featurize", "featurize/structure", "data", "storage/hub"},

	"worker/pipeline": {"nn/stack", "worker/memory", "jobs", "storage", "nn", "nn/train", "nn/checkpoint", "nn/dataset", "nn/ensemble", "nn/keras", "nn/revision", "data", "featurize", "featurize/smiles", "featurize/structure", "jobs/keys"},

	"api/app": {"jobs/schedules", "api/tuning", "jobs/searches", "api/fleet", "api/pages", "api/compat", "storage/atomicfile", "api/registry", "featurize/structure", "worker/memory", "api/httpapi", "api/training", "jobs/idempotency", "api/metrics", "api/datasets", "api/estimate", "jobs", "jobs/localqueue", "jobs/predictions", "nn/revision", "jobs/records", "jobs/redisjobs", "jobs/retention", "nn/cpu", "storage", "storage/backend", "storage/file", "storage/hub", "storage/probe", "storage/record", "storage/hub/hubserver", "worker/predict", "api/publish", "api/webhook", "worker/runner", "jobs/access", "jobs/tokens", "jobs/audit", "jobs/quota", "api/screening", "jobs/screenings"},

	"api/fleet": {"jobs", "jobs/access", "jobs/fairshare"},

	"api/backup": {"storage"},

	"api/doctor": {"api/datasets", "jobs", "jobs/predictions", "jobs/records", "nn/checkpoint", "storage", "storage/hub/hubserver", "storage/record", "jobs/keys"},

	"api/client": {"jobs/screenings", "jobs", "jobs/searches"},

	"api/metrics": {"jobs"},

	"api/publish": {"jobs", "nn/keras", "nn/revision", "storage", "storage/hub", "storage/record", "jobs/keys"},

	"api/webhook": {"jobs"},

	"api/datasets": {"data/library", "jobs", "jobs/access", "data", "storage", "storage/record", "featurize/mol", "featurize/smiles", "featurize/structure", "jobs/keys"},

	"api/estimate": {"jobs", "data", "featurize", "featurize/structure", "nn", "nn/dataset", "nn/train"},

	"api/tuning": {"api/training", "jobs", "jobs/idempotency", "jobs/keys", "jobs/search", "jobs/searches"},

	"api/training": {"jobs/schedules", "jobs/access", "featurize", "storage/hub", "worker/memory", "api/datasets", "api/estimate", "data", "jobs", "jobs/idempotency", "jobs/keys", "nn/checkpoint", "nn/train", "storage"},

	"api/registry": {"jobs", "nn/checkpoint", "nn/keras", "nn/revision", "storage/hub", "worker/predict"},

	"api/httpapi": {"jobs/schedules", "api/tuning", "jobs/search", "jobs/searches", "jobs/access", "api/fleet", "api/web", "api/datasets", "api/registry", "api/training", "data", "jobs", "jobs/idempotency", "jobs/keys", "jobs/predictions", "jobs/records", "storage", "storage/record", "worker/predict", "jobs/tokens", "jobs/audit", "api/screening", "jobs/screenings", "jobs/quota"},

	"nn/revision/internal/plot": {},

	"nn/keras/internal/hdf5": {},

	"nn/keras/internal/pickle": {},

	"nn/revision/revisiontest": {"nn", "nn/stack", "nn/train", "nn/checkpoint", "nn/cpu", "nn/dataset", "nn/ensemble", "nn/revision", "featurize", "featurize/smiles", "data"},

	"nn/enginetest": {"nn", "nn/plan", "featurize", "featurize/smiles", "data"},

	"api/web": {},

	"api/pages": {"api/screening", "jobs/expression", "jobs/screenings", "api/tuning", "jobs/searches", "api/fleet", "api/web", "api/httpapi", "api/datasets", "api/registry", "api/training", "data", "jobs", "jobs/records", "worker/predict"},

	"api/compat": {"api/httpapi", "jobs", "worker/predict"},

	"api/apitest": {"api/datasets", "api/training", "jobs", "jobs/idempotency", "jobs/predictions", "jobs/records", "nn/cpu", "nn/revision/revisiontest", "storage", "storage/file", "storage/hub", "storage/hub/hubserver", "worker/predict"},
}

// apart are packages that must not come into others, whatever the list says:
// HTTP shows what services below it know of chemistry, the network and the Hub.
var apart = map[string][]string{
	"api/httpapi": {"nn", "featurize", "storage/hub"},
	"api/pages":   {"nn", "featurize", "storage/hub"},
	"api/compat":  {"nn", "featurize", "storage/hub"},
}

// TestImportsApart holds the list itself to apart.
func TestImportsApart(t *testing.T) {
	below := func(name, root string) bool { return name == root || strings.HasPrefix(name, root+"/") }
	for name, imports := range allowed {
		for area, banned := range apart {
			for _, im := range imports {
				if below(name, area) && slices.ContainsFunc(banned, func(root string) bool { return below(im, root) }) {
					t.Errorf("the import graph lets %s import %s: put a service between them", name, im)
				}
			}
		}
	}
}

// TestImports fails when a package imports one it may not, and when a package
// is missing from the list.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		seen[name] = true
		if name == "api" || name == "worker" { // the mains tie everything together
			continue
		}
		list, ok := allowed[name]
		if !ok {
			t.Errorf("package %s is not in the import graph: add it with what it may import", name)
		}
		for _, im := range p.Imports {
			im, internal := strings.CutPrefix(im, module)
			if im == "jobs/lease" && (name == "jobs" || slices.Contains(list, "jobs")) {
				continue // part of what a record is
			}
			if internal && ok && !slices.Contains(list, im) {
				t.Errorf("%s imports %s, which the import graph does not allow", name, im)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("the import graph names %s, which does not exist", name)
		}
	}
}
