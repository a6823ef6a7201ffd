package cuda

import (
	"slices"
	"testing"
)

func TestParseSelection(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Selection{
		"":                    {},
		"cpu":                 {},
		"cuda":                {All: true},
		"cuda:1":              {Devices: []int{1}},
		"cuda:0,cuda:1":       {Devices: []int{0, 1}},
		"cuda:2, cuda:0, cpu": {Devices: []int{2, 0}, CPU: true},
		"cuda,cpu":            {All: true, CPU: true},
	} {
		got, err := ParseSelection(text)
		if err != nil || !slices.Equal(got.Devices, want.Devices) || got.All != want.All || got.CPU != want.CPU {
			t.Errorf("%q is %+v, %v, want %+v", text, got, err, want)
		}
		if got.GPU() != (want.All || want.Devices != nil) {
			t.Errorf("%q: GPU() = %v", text, got.GPU())
		}
	}
	for _, text := range []string{"gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:0,cuda:0", "cpu,cuda:0", "cuda,cuda:1", "cuda:0,,cuda:1"} {
		if got, err := ParseSelection(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}
