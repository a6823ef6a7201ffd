package runner

import "github.com/prometheus/procfs"

// processUsage is the CPU time of this process in seconds, and its resident memory
// in bytes.
func processUsage() (seconds float64, resident int64) {
	self, err := procfs.Self()
	if err != nil {
		return 0, 0
	}
	stat, err := self.Stat()
	if err != nil {
		return 0, 0
	}
	return stat.CPUTime(), int64(stat.ResidentMemory())
}
