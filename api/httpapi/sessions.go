package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// recheck is how long a session may go on at another replica after it has logged
// out at one.
const recheck = 10 * time.Second

// Sessions remembers which browser sessions have logged out. A session's cookie
// is signed and would be good until it expires; what stands here ends it before.
// The records lie in object storage, for all replicas; nil remembers none.
type Sessions struct {
	bucket storage.Bucket
	now    func() time.Time

	mu    sync.Mutex
	ended map[string]bool      // logged out, by hash
	good  map[string]time.Time // when a session was last looked up, by hash
}

// NewSessions keeps the sessions that have ended in b; now is nil for time.Now.
func NewSessions(b storage.Bucket, now func() time.Time) *Sessions {
	if now == nil {
		now = time.Now
	}
	return &Sessions{bucket: b, now: now, ended: map[string]bool{}, good: map[string]time.Time{}}
}

func sessionHash(cookie string) string {
	sum := sha256.Sum256([]byte(cookie))
	return hex.EncodeToString(sum[:])
}

// End ends the session of a cookie.
func (s *Sessions) End(ctx context.Context, cookie string) error {
	if s == nil {
		return nil
	}
	hash := sessionHash(cookie)
	s.mu.Lock()
	s.ended[hash] = true
	s.mu.Unlock()
	if _, err := s.bucket.Put(ctx, keys.EndedSessions+hash, strings.NewReader(""), 0, storage.Condition{}); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// Ended reports whether the session of a cookie has logged out. While storage is
// away it goes by what is known here.
func (s *Sessions) Ended(ctx context.Context, cookie string) (bool, error) {
	if s == nil {
		return false, nil
	}
	hash, now := sessionHash(cookie), s.now()
	s.mu.Lock()
	ended, looked := s.ended[hash], s.good[hash]
	s.mu.Unlock()
	if ended || now.Sub(looked) < recheck {
		return ended, nil
	}
	o, err := s.bucket.Get(ctx, keys.EndedSessions+hash)
	switch {
	case err == nil:
		ended, err = true, o.Close()
	case errors.Is(err, storage.ErrNotExist):
		err = nil
	default:
		err = fmt.Errorf("look up session: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended {
		s.ended[hash] = true
	} else {
		s.good[hash] = now
	}
	return ended, err
}

// Expire forgets the sessions that ended before a time, by when their cookies
// have expired by themselves. It returns how many there were.
func (s *Sessions) Expire(ctx context.Context, before time.Time) (n int, err error) {
	for e, err := range s.bucket.List(ctx, keys.EndedSessions) {
		if err != nil {
			return n, fmt.Errorf("expire sessions: %w", err)
		}
		if !e.Modified.Before(before) {
			continue
		}
		if err := s.bucket.Delete(ctx, e.Key); err != nil {
			return n, fmt.Errorf("expire sessions: %w", err)
		}
		n++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.good)
	clear(s.ended) // what still counts is read again
	return n, nil
}
