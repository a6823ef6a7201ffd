//go:build !linux

package runner

func processUsage() (seconds float64, resident int64) { return 0, 0 }
