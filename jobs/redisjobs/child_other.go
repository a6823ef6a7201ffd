//go:build !unix

package redisjobs

import "syscall"

// childAttributes are the system's own: servers run as children on Unix only.
func childAttributes() *syscall.SysProcAttr { return nil }
