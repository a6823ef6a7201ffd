package pipeline

import "golang.org/x/sys/unix"

// nice is how far a training thread steps back, of 19.
const nice = 10

// stepBack lowers the calling thread's priority. On Linux a thread id will do
// for a process id, and means that thread alone. Without the right to do so it
// stays as it is.
func stepBack() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice) }
