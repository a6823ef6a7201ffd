package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGenerated fails when the committed assembly is not what its generator
// writes.
func TestGenerated(t *testing.T) {
	generator := func(name string, args ...string) ([]byte, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir = "_asm"
		return cmd.CombinedOutput()
	}
	if out, err := generator("go", "mod", "download"); err != nil {
		t.Skipf("the generator's modules cannot be had, so drift is not checked: %v\n%s", err, out)
	}
	dir := t.TempDir()
	if out, err := generator("go", "run", ".", dir); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("generated %v, %v", files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s has drifted from _asm; run go generate ./nn/kernel", name)
		}
	}
}
