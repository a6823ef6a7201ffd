package redisjobs

import "syscall"

// childAttributes make the kernel end the child with its parent, however that
// ends, and keep the terminal's interrupts from it: its parent needs it until
// the handlers have released their tasks.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
