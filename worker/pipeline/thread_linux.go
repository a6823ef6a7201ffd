package pipeline

import "golang.org/x/sys/unix"

// nice is how far a training thread steps back, of 19.
const nice = 10

// stepBack lowers the calling thread's priority, unless it is as low already. On
// Linux a thread id will do for a process id, and means that thread alone.
// Without the right to do so it stays as it is.
func stepBack() {
	if niceness() < nice {
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice)
	}
}

// niceness is how far the calling thread has stepped back.
func niceness() int {
	p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	if err != nil {
		return 0
	}
	return 20 - p // the system call's way to keep clear of negative numbers
}
