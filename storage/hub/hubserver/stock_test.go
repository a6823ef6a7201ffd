package hubserver_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/storage/hub/hubserver"
)

// stock is a release of huggingface_hub with Xet installed and not disabled.
type stock struct {
	python string
	env    []string // reaches the Hub under test
	dir    string   // scratch
}

// eachStock runs a test with every release there is a Python for, each with a
// Hub of its own.
func eachStock(t *testing.T, test func(t *testing.T, s stock)) {
	for variable, peer := range map[string]string{"HUB_PYTHON": "hub", "HUB036_PYTHON": "hub036"} {
		t.Run(peer, func(t *testing.T) {
			python := os.Getenv(variable)
			if python == "" {
				t.Skipf("set %s to a python with huggingface_hub and hf_xet, or run .ci/peers %s", variable, peer)
			}
			h, err := hubserver.New(hubserver.Config{Dir: t.TempDir(), Prefix: "/hub", Tokens: []hubserver.Token{{Name: "anna", Secret: "hf_local"}}})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(h)
			t.Cleanup(server.Close)
			dir := t.TempDir()
			test(t, stock{python, append(os.Environ(), "HF_ENDPOINT="+server.URL+"/hub", "HF_TOKEN=hf_local", "HF_HOME="+dir,
				"HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_XET=0", "HF_HUB_DISABLE_PROGRESS_BARS=1", "NO_COLOR=1"), dir})
		})
	}
}

// run runs a program of the release's environment and returns what it prints.
func (s stock) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestStock lets huggingface_hub do all that users of a published model do.
func TestStock(t *testing.T) {
	eachStock(t, func(t *testing.T, s stock) {
		t.Log(s.run(t, s.python, "testdata/stock.py", s.dir))
	})
}

// TestStockCalls lets huggingface_hub make the calls that fewer people make.
func TestStockCalls(t *testing.T) {
	eachStock(t, func(t *testing.T, s stock) {
		t.Log(s.run(t, s.python, "testdata/stock_calls.py", s.dir))
	})
}

// TestStockJS lets @huggingface/hub make its calls.
func TestStockJS(t *testing.T) {
	module := os.Getenv("HUB_JS")
	if module == "" {
		t.Skip("set HUB_JS to the module of @huggingface/hub, or run .ci/peers hubjs")
	}
	h, err := hubserver.New(hubserver.Config{Dir: t.TempDir(), Prefix: "/hub", Tokens: []hubserver.Token{{Name: "anna", Secret: "hf_local"}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	t.Log(stock{env: os.Environ()}.run(t, "node", "testdata/hub.mjs", module, server.URL+"/hub", "hf_local"))
}

// TestStockCLI does the same from the shell.
func TestStockCLI(t *testing.T) {
	eachStock(t, func(t *testing.T, s stock) {
		command := func(name string) func(args ...string) string {
			return func(args ...string) string { return s.run(t, filepath.Join(filepath.Dir(s.python), name), args...) }
		}
		hf := command("hf")
		repo, removeTag := []string{"repos"}, []string{"repos", "tag", "delete", "acme/cli", "v1.0.0", "--yes"}
		if old := command("huggingface-cli"); strings.HasPrefix(s.run(t, s.python, "-c", "import huggingface_hub as h; print(h.__version__)"), "0.") {
			repo, removeTag = []string{"repo"}, []string{"repo", "tag", "delete", "acme/cli", "v1.0.0", "-y"}
			if out := old("whoami"); !strings.Contains(out, "polyid") {
				t.Errorf("huggingface-cli whoami: %s", out)
			}
		}
		do := func(args ...string) string { return hf(append(append([]string{}, repo...), args...)...) }
		folder := filepath.Join(s.dir, "folder")
		want := map[string]string{"README.md": "# Tg\n", "folds/a.safetensors": strings.Repeat("\x00\xff", 1<<20)}
		write(t, folder, want)
		do("create", "acme/cli", "--private")
		hf("upload", "acme/cli", folder, "--commit-message", "first")
		do("tag", "create", "acme/cli", "v1.0.0", "-m", "stable")
		if out := do("tag", "list", "acme/cli"); !strings.Contains(out, "v1.0.0") {
			t.Errorf("tags: %s", out)
		}
		hf("upload", "acme/cli", filepath.Join(folder, "README.md"), "notes/README.md", "--revision", "dev")
		hf("upload", "acme/cli", filepath.Join(folder, "README.md"), "folds/a.safetensors")
		hf("download", "acme/cli", "--revision", "v1.0.0", "--local-dir", filepath.Join(s.dir, "v1"))
		hf("download", "acme/cli", "notes/README.md", "--revision", "dev", "--local-dir", filepath.Join(s.dir, "dev"))
		compare(t, filepath.Join(s.dir, "v1"), want)
		compare(t, filepath.Join(s.dir, "dev"), map[string]string{"notes/README.md": want["README.md"]})
		hf(removeTag...)
		if out := do("tag", "list", "acme/cli"); strings.Contains(out, "v1.0.0") {
			t.Errorf("tags after the only one is deleted: %s", out)
		}
	})
}

// TestLongStock round-trips a file of 200 MB.
func TestLongStock(t *testing.T) {
	if os.Getenv("LONG") == "" {
		t.Skip("set LONG=1 for a file of 200 MB")
	}
	eachStock(t, func(t *testing.T, s stock) {
		t.Log(s.run(t, s.python, "testdata/large.py", "weights.safetensors", "200000000", s.dir))
	})
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, content := range files {
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	for path, content := range want {
		if got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))); err != nil || string(got) != content {
			t.Errorf("%s holds %d bytes that are not those uploaded (%v)", path, len(got), err)
		}
	}
}
