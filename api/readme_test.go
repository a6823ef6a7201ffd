//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

// block is a fenced block of the README.
type block struct{ language, text string }

func readme(t *testing.T) (blocks []block) {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(string(b), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return blocks
}

// shell prepares one of the README's scripts: go run becomes the program it
// would build, the default address this service's.
func shell(t *testing.T, s *service, script string) *exec.Cmd {
	t.Helper()
	api, err := apiProgram()
	if err != nil {
		t.Fatal(err)
	}
	worker, err := workerProgram()
	if err != nil {
		t.Fatal(err)
	}
	script = strings.NewReplacer("go run ./api", api, "go run ./worker", worker, "localhost:8080", strings.TrimPrefix(s.url, "http://")).Replace(script)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = ".."
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// TestReadme runs what the README shows, as printed, against a service with a
// small model. A block that no case knows fails.
func TestReadme(t *testing.T) {
	s := newService(t)
	s.succeeds(s.submit(small(2, "")).ID)
	output := func(script string) string {
		var out, errs bytes.Buffer
		cmd := shell(t, s, script)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s\n%v: %s%s", script, err, &out, &errs)
		}
		return out.String()
	}
	for _, b := range readme(t) {
		first, _, _ := strings.Cut(b.text, "\n")
		switch {
		case b.language == "", b.language == "python": // figures; PolyID's side is run by TestReadmePython
		case first == "go run ./api quickstart": // TestLongQuickstart runs all of it
			if out := output("go run ./api quickstart -h"); !strings.Contains(out, "two minutes") {
				t.Errorf("quickstart's help is %s", out)
			}
		case first == "go test ./...": // this is it
		case strings.Contains(first, "/v1/training-jobs "):
			var v jobs.View
			if err := json.Unmarshal([]byte(output(b.text)), &v); err != nil || v.Status != jobs.Queued || v.Epochs != 500 {
				t.Errorf("%s answers %+v, %v", b.text, v, err)
			}
			if status := s.move(v.ID, "cancel"); status != 200 {
				t.Errorf("cancelling it: %d", status)
			}
		case strings.Contains(first, "/v1/searches"):
			var v searches.View
			if err := json.Unmarshal([]byte(output(b.text)), &v); err != nil || v.Status != jobs.Queued || v.MaxTrials != 27 {
				t.Errorf("%s answers %+v, %v", b.text, v, err)
			}
			if status := s.call("POST", "/v1/searches/"+v.ID+"/cancel", "", nil); status != 200 {
				t.Errorf("cancelling it: %d", status)
			}
		case strings.Contains(first, "/v1/datasets"):
			if out := output(b.text); !strings.Contains(out, `"rows":229`) {
				t.Errorf("%s answers %s", b.text, out)
			}
		case strings.Contains(first, "/v1/predictions"):
			var p struct {
				Results []struct {
					Predictions map[string]struct{ Mean float64 }
				}
			}
			if err := json.Unmarshal([]byte(output(b.text)), &p); err != nil || len(p.Results) != 2 || p.Results[1].Predictions["Tm"].Mean == 0 {
				t.Errorf("%s answers %+v, %v", b.text, p, err)
			}
		case strings.Contains(first, "REDIS_URL"):
			cluster(t, b.text)
		case strings.Contains(first, "doctor"):
			out := output("export DATA_DIR=" + t.TempDir() + "\n" + b.text)
			if strings.Count(out, "can be read") != 2 || !strings.Contains(out, "This storage will do") {
				t.Errorf("%s prints %s", b.text, out)
			}
		case strings.Contains(first, "featurize"):
			script, _, _ := strings.Cut(b.text, "go run ./api bench") // TestBench runs that
			if out := output(script); !strings.Contains(out, `"n_atoms":7`) || !strings.Contains(out, "smiles_polymer") {
				t.Errorf("%s prints %s", script, out)
			}
		case strings.Contains(first, ".ci/peers"): // .ci/run installs them so
			if out, err := exec.Command("../.ci/peers", "none").CombinedOutput(); err == nil || !strings.Contains(string(out), "rdkit, polyid") {
				t.Errorf(".ci/peers does not say what it knows: %s", out)
			}
		default:
			t.Errorf("nothing runs this block of the README:\n%s", b.text)
		}
	}
	// The commands in its sentences.
	dir := t.TempDir()
	for name, text := range map[string]string{"JOB.json": string(small(1, "")), "IN.csv": "smiles_repeat_unit\n*OC(C)C(=O)*\n", "LIBRARY.csv": repeatUnitLibrary(100)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"go run ./api train --watch JOB.json", "go run ./api predict IN.csv > OUT.csv",
		"go run ./api screen --where 'Tg > 150 && in_domain' --order-by=-Tg --limit 1000 LIBRARY.csv > BEST.csv"} {
		if !bytes.Contains(text, []byte("`"+command+"`")) {
			t.Errorf("the README does not show %s", command)
		}
		output(strings.NewReplacer("JOB.json", dir+"/JOB.json", "IN.csv", dir+"/IN.csv", "OUT.csv", dir+"/OUT.csv", "LIBRARY.csv", dir+"/LIBRARY.csv", "BEST.csv", dir+"/BEST.csv",
			"--watch", "--watch --server "+s.url, "predict ", "predict --server "+s.url+" ", "screen ", "screen --server "+s.url+" ").Replace(command))
	}
	if b, err := os.ReadFile(dir + "/OUT.csv"); err != nil || !strings.Contains(string(b), "Tg_pred_mean") {
		t.Errorf("predict wrote %q, %v", b, err)
	}
}

// cluster runs the block that starts api and worker on one Redis, and a job on
// them.
func cluster(t *testing.T, script string) {
	t.Helper()
	s, redis := onRedis(t)
	s.script(shell(t, s, strings.NewReplacer("127.0.0.1:6379", redis, "$PWD/var", s.dir).Replace(script)))
	s.trainsOne()
}

// TestReadmePython loads what was published as the README says.
func TestReadmePython(t *testing.T) {
	python := os.Getenv("POLYID_PYTHON")
	if python == "" {
		t.Skip(`POLYID_PYTHON names no Python with PolyID: eval "$(.ci/peers polyid)"`)
	}
	s := newService(t)
	s.succeeds(s.submit(small(1, "")).ID)
	for _, b := range readme(t) {
		if b.language != "python" {
			continue
		}
		script := strings.ReplaceAll(b.text, "http://localhost:8080", s.url) + "print(len(model.models), 'models')\n"
		cmd := exec.CommandContext(t.Context(), python, "-c", script)
		cmd.Env = append(os.Environ(), "HF_HOME="+t.TempDir(), "TF_CPP_MIN_LOG_LEVEL=3")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "3 models") {
			t.Errorf("%v: %s", err, out)
		}
	}
}
