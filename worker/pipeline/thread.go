package pipeline

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// aside runs f on an OS thread of its own, at a lower priority where the system
// allows that, so that whatever else the process does (answering HTTP) does not
// wait for arithmetic. A panic of f is an error: it is one fold's, not the
// process'.
func aside(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, its priority with it.
		runtime.LockOSThread()
		stepBack()
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		done <- f()
	}()
	return <-done
}
