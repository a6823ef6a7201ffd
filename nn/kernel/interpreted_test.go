//go:build amd64 && !purego

package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fingerprint is a digest of every bit that every kernel of a path computes on
// operands of many shapes.
func fingerprint(t *testing.T, ks *Kernels[float32]) string {
	sum := sha256.New()
	add := func(x []float32) {
		if err := binary.Write(sum, binary.LittleEndian, x); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range [][3]int{{93, 128, 256}, {15, 136, 264}, {1, 5, 3}, {31, 37, 70}, {300, 20, 33}, {14, 300, 16}} {
		out := all(t, ks, s[0], s[1], s[2])
		var names []string
		for name := range out {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			add(out[name].Data)
		}
	}
	for _, n := range []int{1, 15, 16, 17, 40, 131, 256} {
		a := newArena(t, uint64(n))
		d, x, y, u, v := a.vec(n, 0), a.vec(n, 1), a.vec(n, 2), a.vec(n, 3), a.vec(n, 4)
		p := ks.path
		for _, f := range []func(){
			func() { p.sum1(d, x, true) }, func() { p.sum2(d, x, y, true) }, func() { p.sum3(d, x, y, u, false) },
			func() { p.sum4(d, x, y, u, v, true) }, func() { p.axpy(d, x, 0.3) }, func() { p.addMul(d, x, y, 0.3) },
			func() { p.maskReLU(d, x) }, func() { p.scale(d, x, 0.3) }, func() { d[0] = p.dot(x, y) },
			func() {
				p.scale(v, v, 0.5)
				p.maskReLU(v, v)
				p.adam(d, x, v, u, NewAdamStep[float32](3, 1e-3, 1e-2, 0.9, 0.999, 1e-7))
			},
		} {
			f()
			add(d)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// TestFingerprint prints what TestInterpreted compares.
func TestFingerprint(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		t.Logf("fingerprint of %s: %s", ks.Path(), fingerprint(t, ks))
	})
}

// TestInterpreted runs this package's tests once more with the interpreter in
// the place of all assembly, AVX-512 included whatever this processor has, and
// checks that every instruction was executed. The interpreter is held to the
// processor: to the bit where both run the AVX2 kernels.
func TestInterpreted(t *testing.T) {
	native, err := For(AVX2)
	if err != nil {
		t.Skip("the interpreter is held to AVX2, which this processor lacks: ", err)
	}
	want := fingerprint(t, native)

	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	put := func(name, text string) {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(dir, name)] = file
	}
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	const detect = "cpu.X86.HasAVX512F"
	dispatch := read("kernel_amd64.go")
	if !strings.Contains(dispatch, detect) {
		t.Fatal("kernel_amd64.go does not detect ", detect)
	}
	put("kernel_amd64.go", strings.ReplaceAll(dispatch, detect, "true"))
	declaration := regexp.MustCompile(`(?m)^func (\w+)\((.*)\)$`)
	for _, name := range []string{"avx2", "avx512"} {
		replace[filepath.Join(dir, name+"_amd64.s")] = ""
		stubs := strings.ReplaceAll(read(name+"_amd64.go"), "//go:noescape\n", "")
		put(name+"_amd64.go", declaration.ReplaceAllStringFunc(stubs, func(s string) string {
			m := declaration.FindStringSubmatch(s)
			args := ""
			for _, p := range strings.Split(m[2], ", ") {
				arg, _, _ := strings.Cut(p, " ")
				args += ", " + arg
			}
			return fmt.Sprintf("%s { %sProgram().call(%q%s) }", s, name, m[1], args)
		}))
	}
	put("zz_programs_test.go", programs)

	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	// Left out: what measures, what counts allocations, and this test.
	out, err := exec.Command("go", "test", "-v", "-overlay", file, "-vet=off",
		"-skip", "TestInterpreted|TestNoAllocations|TestFMAPeak|TestGenerated", ".").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestGemm/avx512") {
		t.Fatalf("the interpreted tests: %v\n%s", err, out)
	}
	for _, path := range []string{AVX2, AVX512} {
		if line := "fingerprint of " + path + ": " + want; !strings.Contains(string(out), line) {
			t.Errorf("interpreted %s differs from native AVX2\n%s", path, out)
		}
	}
}

const programs = `package kernel

import (
	"sync"
	"testing"
)

func program1(name string) func() *program {
	return sync.OnceValue(func() *program {
		p, err := load(name)
		if err != nil {
			panic(err)
		}
		return p
	})
}

var (
	avx2Program   = program1("avx2_amd64.s")
	avx512Program = program1("avx512_amd64.s")
)

// TestZCoverage comes last: every instruction but the peak's has been executed.
func TestZCoverage(t *testing.T) {
	for _, p := range []*program{avx2Program(), avx512Program()} {
		for i, ran := range p.ran {
			if !ran && i < p.entry["peakAVX2"]+p.entry["peakAVX512"] {
				t.Errorf("never executed: %s", p.code[i].line)
			}
		}
	}
}
`
