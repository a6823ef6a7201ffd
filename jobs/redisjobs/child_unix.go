//go:build unix && !linux

package redisjobs

import "syscall"

// childAttributes keep the terminal's interrupts from the child. It may outlive
// a crash of its parent, and is ended by the next one.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
