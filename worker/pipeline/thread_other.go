//go:build !linux

package pipeline

// stepBack does nothing: there is no priority of a single thread to lower.
func stepBack() {}
