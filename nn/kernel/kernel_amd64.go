//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

func available() []path[float32] {
	var p []path[float32]
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		if cpu.X86.HasAVX512F {
			p = append(p, vector{wide: true})
		}
		p = append(p, vector{wide: false})
	}
	return append(p, generic[float32]{})
}
