package storagetest

import (
	"os"
	"os/exec"
	"testing"
)

// OwnProcess runs the calling test once more in a process of its own and reports
// whether this is that one; in the first it returns false when the other has ended,
// whose failure is the test's. It is for tests that limit what their process may
// write: the limit would hold for go test's own log of what the test reads, too.
func OwnProcess(t *testing.T) bool {
	t.Helper()
	const own = "STORAGETEST_OWN_PROCESS"
	if os.Getenv(own) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), own+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}
