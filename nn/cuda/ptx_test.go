package cuda

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The PTX is what NVRTC makes of the kernels, and ptxas assembles it without
// spilling registers to speak of.
func TestPTXIsGenerated(t *testing.T) {
	t.Parallel()
	python := os.Getenv("CUDA_PYTHON")
	if python == "" {
		t.Skip("set CUDA_PYTHON to a python with the CUDA 12.9 wheels, or run .ci/peers cuda")
	}
	dir := t.TempDir()
	out, err := exec.Command(python, "gen_ptx.py", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	made, err := filepath.Glob(filepath.Join(dir, "*.ptx"))
	if err != nil || len(made) == 0 {
		t.Fatalf("nothing was made: %v", err)
	}
	for _, path := range made {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("ptx", filepath.Base(path)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the kernels compile to: run gen_ptx.py", filepath.Base(path))
		}
	}
}

// What there is of PTX, without the compiler: one file per architecture, each
// with the kernel, for its target.
func TestPTX(t *testing.T) {
	t.Parallel()
	for _, arch := range architectures {
		name := archFile(arch)
		ptx, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{".entry step(", ".target " + strings.TrimSuffix(filepath.Base(name), ".ptx") + "\n"} {
			if !strings.Contains(string(ptx), want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
}

// atomics counts the atomic instructions and reductions of PTX, by name. A name
// begins a statement, perhaps after a predicate.
func atomics(ptx string) map[string]int {
	names := regexp.MustCompile(`(?m)^\s*(?:@!?%p\d+\s+)?((?:atom|red|multimem|suatom|sured|cp\.reduce)\.[\w.:]+)`)
	found := map[string]int{}
	for _, m := range names.FindAllStringSubmatch(ptx, -1) {
		found[m[1]]++
	}
	return found
}

// Floats added up in the order in which blocks happen to come would differ from
// run to run. The one thing that is done atomically is to count in integers who
// has arrived at the barrier. And no load goes by the cache for what a kernel
// never writes, because phases read what phases before them wrote.
func TestNoFloatAtomics(t *testing.T) {
	t.Parallel()
	for _, arch := range architectures {
		name := archFile(arch)
		ptx, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := atomics(string(ptx)), map[string]int{"atom.global.add.u64": 1}; !maps.Equal(got, want) {
			t.Errorf("%s has the atomics %v, want %v", name, got, want)
		}
		if bytes.Contains(ptx, []byte("ld.global.nc")) {
			t.Errorf("%s loads by the read-only cache", name)
		}
	}
	const other = "{\n\tatom.global.add.f32 %f1, [%rd1], %f2;\n@%p1 red.global.add.noftz.f16x2 [%rd2], %r1;\n\tadd.f32 %f1, %f2, %f3; // red.\n}"
	if got, want := atomics(other), map[string]int{"atom.global.add.f32": 1, "red.global.add.noftz.f16x2": 1}; !maps.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestArchitecture(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ major, minor, want int }{
		{7, 0, 70}, {7, 5, 70}, {8, 0, 80}, {8, 6, 86}, {8, 9, 86}, {9, 0, 90}, {10, 0, 90}, {12, 1, 90},
	} {
		got, err := architecture(tc.major, tc.minor)
		if err != nil || got != tc.want {
			t.Errorf("%d.%d: sm_%d, %v, want sm_%d", tc.major, tc.minor, got, err, tc.want)
		}
	}
	if _, err := architecture(6, 1); err == nil {
		t.Error("a device of 2016 was accepted")
	}
}
