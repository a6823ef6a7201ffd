package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clientPython is a Python that the client of api/client/python is installed in,
// with what its notebook needs.
func clientPython(t *testing.T) string {
	t.Helper()
	end2end(t)
	python := os.Getenv("CLIENT_PYTHON")
	if python == "" {
		t.Skip(`CLIENT_PYTHON names no Python with httpx, pandas, matplotlib and nbclient: eval "$(.ci/peers client)"`)
	}
	return python
}

// runPython runs a script with the client in reach, and returns what it prints.
func runPython(t *testing.T, python, server, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-c", script)
	cmd.Dir = t.TempDir()
	source, err := filepath.Abs("client/python")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "PYTHONPATH="+source, "POLYID_SERVER="+server, "NOTEBOOK="+filepath.Join(source, "notebook.ipynb"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestPythonClient: the client in Python does what its calls say, and its errors
// hold what the server lists.
func TestPythonClient(t *testing.T) {
	python := clientPython(t)
	s := newService(t)
	out := runPython(t, python, s.url, `
import json, os
from polyid_client import ApiError, Client, JobFailed

polyid = Client(os.environ["POLYID_SERVER"])
said = {}
table = polyid.upload(os.path.join(os.path.dirname(os.environ["NOTEBOOK"]), "..", "..", "..", "data", "stereopolymer_input_nopush.csv"), name="esters.csv")
said["again"] = polyid.upload(__import__("io").BytesIO(polyid.rows(table).encode()), name="other.csv")["rows"] == table["rows"]
settings = dict(kfolds=2, epochs=2, batch_size=8, prediction_columns=["Tg"], chains={"periodic": False, "dp": 3},
                model={"atom_features": 8, "bond_features": 8, "mol_features": 4, "num_messages": 2})
said["hours"] = polyid.estimate(table, **settings)["hours_range"][1] < 1
try:
    polyid.train(table, epochs=-1, kfolds=0)
except ApiError as refused:
    said["refused"] = [refused.status, sorted(e["pointer"] for e in refused.errors)]
job = polyid.train(table, name="from Python", **settings)
events = [e["type"] for e in polyid.follow(job)]
said["first"], said["last"], said["snapshot"] = [e for e in events if e != "snapshot"][0], events[-1], events[0]
job = polyid.wait(job, progress=lambda record: record["progress"])
said["status"], said["mae"] = job["status"], job["metrics"]["out_of_fold"]["Tg"]["mae"] > 0
said["listed"] = job["id"] in [j["id"] for j in polyid.jobs(status="succeeded")]
said["epochs"] = len(polyid.history(job, 1)["data"])
model = {"repo": job["published"]["repo"], "revision": job["published"]["commit"]}
answer = polyid.predict(["*OC(C)C(=O)*", "C1CC", {"monomers": ["OCCO", "O=C(O)CCCCC(=O)O"], "mechanism": "auto"}], model=model)
said["results"] = ["error" if "error" in r else round(r["predictions"]["Tg"]["mean"]) != 0 for r in answer["results"]]
csv = polyid.predict_table(__import__("io").BytesIO(b"name,smiles_repeat_unit\npla,*OC(C)C(=O)*\n"), model=model)
said["csv"] = csv.splitlines()[0].split(",")[:3]
said["models"] = [m["repo"] for m in polyid.models()][0] == model["repo"]
cancelled = polyid.train(table, **{**settings, "epochs": 500})
polyid.cancel(cancelled)
try:
    polyid.wait(cancelled, every=0.1)
except JobFailed as over:
    said["cancelled"] = over.record["status"]
polyid.delete(cancelled)
try:
    polyid.job(cancelled)
except ApiError as gone:
    said["gone"] = gone.code
print(json.dumps(said))
`)
	var said map[string]any
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{
		"again": `true`, "hours": `true`, "refused": `[422,["/epochs","/kfolds"]]`, "snapshot": `"snapshot"`, "first": `"training_job.created"`, "last": `"training_job.succeeded"`,
		"status": `"succeeded"`, "mae": `true`, "listed": `true`, "epochs": `2`, "results": `[true,"error",true]`,
		"csv": `["name","smiles_repeat_unit","Tg_pred_mean"]`, "models": `true`, "cancelled": `"cancelled"`, "gone": `"not_found"`,
	} {
		have, err := json.Marshal(said[name])
		if err != nil || string(have) != want {
			t.Errorf("%s is %s, want %s", name, have, want)
		}
	}
}

// TestNotebook runs the client's notebook as it is, with few epochs.
func TestNotebook(t *testing.T) {
	python := clientPython(t)
	s := newService(t)
	t.Setenv("EPOCHS", "2")
	out := runPython(t, python, s.url, `
import os
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(os.environ["NOTEBOOK"], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.get("outputs", []):
        print(output.get("text", ""), "image" if "image/png" in output.get("data", {}) else "", "table" if "text/html" in output.get("data", {}) else "")
`)
	for _, want := range []string{"hours:", "training_job.succeeded", "out of fold: MAE", "polystyrene: ", "broken: ", "image", "table"} {
		if !strings.Contains(out, want) {
			t.Errorf("the notebook prints no %q:\n%s", want, out)
		}
	}
}

// TestPythonClientTypes holds the client's own types together.
func TestPythonClientTypes(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), clientPython(t), "-m", "mypy", "--cache-dir", t.TempDir(), "polyid_client")
	cmd.Dir = "client/python"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
