package lease_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"polyid-trainer/jobs/lease"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

var policy = lease.Policy{Failures: 3, Losses: 4, First: 10 * time.Second, Longest: time.Minute}

func claim(t *testing.T, l *lease.Lease, worker, token string) {
	t.Helper()
	if err := l.Claim(noon, worker, token, lease.Length); err != nil {
		t.Fatal(err)
	}
}

// One worker at a time holds a lease, and only its token changes it.
func TestClaim(t *testing.T) {
	var l lease.Lease
	claim(t, &l, "a:1", "a")
	if err := l.Claim(noon.Add(time.Hour), "b:1", "b", lease.Length); !lease.IsHeld(err) {
		t.Errorf("claiming a lease that is held: %v, want a HeldError, whatever the clock says", err)
	}
	claim(t, &l, "a:1", "a") // a write whose answer was lost
	if l.Attempt != 1 || !l.Held() {
		t.Errorf("claimed twice by the same worker: %+v", l)
	}
	if err := l.Renew(noon, "a", lease.Length); err != nil || l.Renewals != 1 {
		t.Errorf("renewing: %v, %+v", err, l)
	}
	for name, err := range map[string]error{
		"check": l.Check("b"), "renew": l.Renew(noon, "b", lease.Length), "release": l.Release("b"), "succeed": l.Succeed("b"), "without a token": l.Check(""),
	} {
		if !errors.Is(err, lease.ErrLost) {
			t.Errorf("%s under another token: %v, want ErrLost", name, err)
		}
	}
	if _, err := l.Fail("b", policy, errors.New("x")); !errors.Is(err, lease.ErrLost) || l.Failures != 0 {
		t.Errorf("failing under another token: %v", err)
	}
	if err := l.Release("a"); err != nil || l.Held() {
		t.Fatalf("releasing: %v, %+v", err, l)
	}
	claim(t, &l, "b:1", "b")
	if l.Attempt != 2 || l.Worker != "b:1" || l.Renewals != 0 {
		t.Errorf("claimed by another: %+v", l)
	}
}

// Failures are counted with their error, and each is followed by a longer wait.
func TestFail(t *testing.T) {
	var l lease.Lease
	last := 0.0
	for n := 1; n <= policy.Failures; n++ {
		claim(t, &l, "a:1", "t")
		giveUp, err := l.Fail("t", policy, errors.New("a cosmic ray"))
		if err != nil || giveUp != (n == policy.Failures) || l.Failures != n || l.LastError != "a cosmic ray" || l.Held() || l.Wait <= last != giveUp {
			t.Fatalf("failure %d: give up %v, %v, %+v", n, giveUp, err, l)
		}
		last = l.Wait
	}
	claim(t, &l, "a:1", "t")
	if err := l.Succeed("t"); err != nil || l.Failures != 0 || l.LastError != "" || l.Wait != 0 || l.Attempt != 4 {
		t.Errorf("after a success: %v, %+v", err, l)
	}
}

// Workers that die in a row are counted, unless one of them came further.
func TestLose(t *testing.T) {
	var l lease.Lease
	for n := 1; n <= policy.Losses; n++ {
		claim(t, &l, "a:1", "t")
		seen := l
		if err := l.Renew(noon, "t", lease.Length); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Lose(&seen, policy); !errors.Is(err, lease.ErrChanged) {
			t.Fatalf("taken from a worker that has just renewed it: %v", err)
		}
		seen = l
		giveUp, err := l.Lose(&seen, policy)
		if err != nil || giveUp != (n == policy.Losses) || l.Held() || l.LastError == "" || (l.Wait > 0) != (n > 1 && !giveUp) {
			t.Fatalf("loss %d: give up %v, %v, %+v", n, giveUp, err, l)
		}
		if _, err := l.Lose(&seen, policy); !errors.Is(err, lease.ErrChanged) {
			t.Fatalf("taken away twice: %v", err)
		}
		if err := l.Check("t"); !errors.Is(err, lease.ErrLost) {
			t.Fatalf("the worker that lost it: %v, want ErrLost", err)
		}
	}
	claim(t, &l, "b:1", "u")
	l.Progress()
	seen := l
	if giveUp, err := l.Lose(&seen, policy); giveUp || err != nil || l.Losses != 1 {
		t.Errorf("lost after progress: give up %v, %v, %+v", giveUp, err, l)
	}
}

// Records of an earlier version, which had no count of renewals, are read; what
// is written has the fields that the earlier version reads.
func TestFormat(t *testing.T) {
	var l lease.Lease
	old := `{"attempt":3,"token":"t","worker":"a:1","since":"2026-01-02T12:00:00Z","until":"2026-01-02T12:00:20Z"}`
	if err := json.Unmarshal([]byte(old), &l); err != nil || !l.Held() || l.Check("t") != nil || l.Attempt != 3 {
		t.Fatalf("read as %+v, %v", l, err)
	}
	body, err := json.Marshal(l)
	if err != nil || string(body) != old {
		t.Errorf("written as %s, %v", body, err)
	}
	// A renewal by the earlier version counts as one.
	o := &lease.Observer{Now: func() time.Time { return noon }}
	o.Look("x", &l)
	o.Now = func() time.Time { return noon.Add(time.Hour) }
	l.Until = l.Until.Add(5 * time.Second)
	if s := o.Look("x", &l); s != lease.Held {
		t.Errorf("renewed by an earlier version it is %v, want Held", s)
	}
}
