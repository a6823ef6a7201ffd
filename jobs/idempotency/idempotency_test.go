package idempotency_test

import (
	"errors"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// clock is a set of idempotency records with a clock that a test moves.
type clock struct {
	*testing.T
	keys *idempotency.Keys
	now  time.Time
}

func newClock(t *testing.T) *clock {
	t.Helper()
	var b storage.Bucket
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{T: t, now: noon}
	c.keys = idempotency.New(b, func() time.Time { return c.now })
	return c
}

// once makes a number, and fails where perform is told to.
func (c *clock) once(key, body string, n int, fails error) (made int, repeated bool, err error) {
	c.Helper()
	p, repeated, err := idempotency.Once(c.Context(), c.keys, idempotency.Request{Owner: "ann", Route: "r", Key: key, Body: body},
		func() (int, error) { return n, nil },
		func(*int) error { return fails })
	if err != nil {
		return 0, false, err
	}
	return *p, repeated, nil
}

// The same request makes one thing, a request that was cut short makes what was
// decided first, and another body is a conflict, until the record expires.
func TestOnce(t *testing.T) {
	t.Parallel()
	c := newClock(t)
	broken := errors.New("the process dies")
	if _, _, err := c.once("k", "body", 1, broken); !errors.Is(err, broken) {
		t.Fatalf("the first request: %v", err)
	}
	if made, repeated, err := c.once("k", "body", 2, nil); made != 1 || repeated || err != nil {
		t.Errorf("after a crash it makes %d, repeated %v, %v", made, repeated, err)
	}
	if made, repeated, err := c.once("k", "body", 3, nil); made != 1 || !repeated || err != nil {
		t.Errorf("again it makes %d, repeated %v, %v", made, repeated, err)
	}
	if _, _, err := c.once("k", "other", 4, nil); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("another body: %v", err)
	}
	if made, repeated, err := c.once("k2", "other", 5, nil); made != 5 || repeated || err != nil {
		t.Errorf("another key makes %d, repeated %v, %v", made, repeated, err)
	}
	if made, repeated, err := c.once("", "body", 6, nil); made != 6 || repeated || err != nil {
		t.Errorf("no key makes %d, repeated %v, %v", made, repeated, err)
	}
	c.now = c.now.Add(idempotency.Lifetime)
	if made, repeated, err := c.once("k", "other", 7, nil); made != 7 || repeated || err != nil {
		t.Errorf("after the record expired it makes %d, repeated %v, %v", made, repeated, err)
	}
	if n, err := c.keys.Expire(t.Context(), time.Now().Add(time.Hour)); n != 2 || err != nil {
		t.Errorf("%d records expired, %v", n, err)
	}
}
