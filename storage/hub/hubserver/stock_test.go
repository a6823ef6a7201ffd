package hubserver_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"polyid-trainer/storage/hub/hubserver"
)

// TestStock lets the stock huggingface_hub, with Xet installed and not
// disabled, do all that users of a published model do.
func TestStock(t *testing.T) {
	python := os.Getenv("HUB_PYTHON")
	if python == "" {
		t.Skip("set HUB_PYTHON to a python with huggingface_hub, or run .ci/peers hub")
	}
	h, err := hubserver.New(hubserver.Config{Dir: t.TempDir(), Prefix: "/hub", Tokens: []string{"hf_local"}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, "testdata/stock.py", dir)
	cmd.Env = append(os.Environ(), "HF_ENDPOINT="+s.URL+"/hub", "HF_TOKEN=hf_local", "HF_HOME="+dir,
		"HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_XET=0", "HF_HUB_DISABLE_PROGRESS_BARS=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
