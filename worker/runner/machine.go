package runner

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/klauspost/cpuid/v2"
)

// hardware is this machine as the model card names it, with the GPUs it trains
// on.
func hardware(gpus string) string {
	brand := cpuid.CPU.BrandName
	if brand == "" {
		brand = "CPU"
	}
	machine := fmt.Sprintf("%d × %s, %s/%s", runtime.NumCPU(), brand, runtime.GOOS, runtime.GOARCH)
	if gpus != "" {
		machine += ", " + gpus
	}
	return machine
}

// code is the version of this program: its module's, and the commit it was built
// from where that was stamped.
func code() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version, dirty := info.Main.Version, ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			version = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	return version + dirty
}
