package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/nn/kernel"
)

// TestBench holds bench to its contract: one JSON object with these fields and
// no other, on standard output; everything else on standard error.
func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("trains the default network for some seconds")
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"bench", "--seconds", "0.3", "--batch", "3"}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit status %d: %s", code, errs.String())
	}
	var fields map[string]any
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	want := []string{"allocs_per_step", "bytes_per_polymer", "estimated_hours", "featurize_per_s", "fma_peak_gflops", "folds_parallel",
		"gemm_gflops", "kernel_path", "ms_per_polymer", "ms_per_step", "plan_ms", "predict_per_s"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
	for name, v := range fields {
		if n, ok := v.(float64); ok && !(n > 0) {
			t.Errorf("%s is %v", name, n)
		}
	}
	if fields["kernel_path"] != kernel.Best().Path() || fields["folds_parallel"] != float64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%s: not this machine", out.String())
	}
	if !strings.Contains(errs.String(), "training step") {
		t.Errorf("no table on standard error: %s", errs.String())
	}
}

func TestBenchUsage(t *testing.T) {
	for _, args := range [][]string{{"--seconds", "0"}, {"--batch", "0"}, {"--batch", "5000"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"bench"}, args...), strings.NewReader(""), &out, &errs); code != 2 {
			t.Errorf("%v: exit status %d: %s", args, code, errs.String())
		}
	}
}
