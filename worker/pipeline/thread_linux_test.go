package pipeline

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A training thread steps back; threads made before, meanwhile and after do not.
func TestAside(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := niceness()
	var inside int
	err := aside(func() error { inside = niceness(); return errors.New("done") })
	if err == nil || err.Error() != "done" || inside < nice {
		t.Errorf("inside, the thread is at %d: %v", inside, err)
	}
	var others sync.WaitGroup
	for range 20 { // locked, so that each has a thread of its own
		others.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if now := niceness(); now != before {
				t.Errorf("another thread is at %d, was %d before", now, before)
			}
		})
	}
	others.Wait()
	if niceness() != before {
		t.Errorf("the caller's thread is at %d, was at %d", niceness(), before)
	}
	if err := aside(func() error { panic("a bug") }); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("a panic: %v", err)
	}
}
