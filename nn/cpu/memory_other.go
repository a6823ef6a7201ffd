//go:build !linux

package cpu

func adviseLarge([]byte) {}
