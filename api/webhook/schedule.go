package webhook

import (
	"net/http"
	"time"
)

// waits are the times between tries, as Standard Webhooks recommends: 75.6 hours
// in all.
var waits = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Wait is the time between the n-th try, from 1, and the next; again is false if
// there is no next.
func Wait(n int) (d time.Duration, again bool) {
	if n < 1 || n > len(waits) {
		return 0, false
	}
	return waits[n-1], true
}

// verdict is what follows from a try.
type verdict int

const (
	arrived verdict = iota // 2xx
	ends                   // the receiver wants no more
	retry                  // another time
)

// judge says what a status means. Anything but success is tried again, as
// Standard Webhooks has it: a receiver that is being deployed answers 404, one
// whose secret is being changed 401. Redirects are not followed.
func judge(status int) (next verdict, outcome string) {
	switch {
	case status >= 200 && status < 300:
		return arrived, "delivered"
	case status == http.StatusGone:
		return ends, "gone"
	}
	return retry, "refused"
}
