//go:build !amd64 || purego

package kernel

func available() []path[float32] { return []path[float32]{generic[float32]{}} }
