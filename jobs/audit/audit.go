// Package audit keeps the log of who did what, when, from where and with what
// outcome: JSON lines in object storage.
//
//	audit/<day>/<time>-<process>-<n>.jsonl
//
// Each process writes objects of its own, one after the other, each of one day (UTC)
// and at most about a megabyte. Entries are collected in memory and written every
// Interval, so that no request waits for storage; a process that is killed loses the
// last of them. A line holds no bodies, no queries and no secrets.
package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

const (
	// Interval is how often what was collected is written.
	Interval = 2 * time.Second
	// Kept is for how long entries are kept unless a setting says otherwise.
	Kept = 365 * 24 * time.Hour

	maxObject  = 1 << 20 // bytes after which the next object begins
	maxPending = 8 << 20 // bytes that wait for storage; what comes then is counted and lost
)

// Outcome is how a request ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // 4xx
	Failed  Outcome = "failed"  // 5xx
	Lost    Outcome = "lost"    // so many entries could not be kept
)

// OutcomeOf files a status.
func OutcomeOf(status int) Outcome {
	switch {
	case status >= 500:
		return Failed
	case status >= 400:
		return Refused
	}
	return Done
}

// Entry is one line.
type Entry struct {
	Time    time.Time `json:"time"`
	Token   string    `json:"token"` // name of who asked; "" is anonymous
	Role    string    `json:"role,omitempty"`
	Address string    `json:"address"` // that the request came from
	Method  string    `json:"method"`
	Path    string    `json:"path"` // without the query
	Status  int       `json:"status"`
	Outcome Outcome   `json:"outcome"`
	Request string    `json:"request,omitempty"` // id, as the log of the process has it
	Count   int       `json:"count,omitempty"`   // of Lost
}

const dayForm = "2006-01-02"

// Log collects and writes entries. It is safe for concurrent use.
type Log struct {
	bucket  storage.Bucket
	process string
	now     func() time.Time
	log     *slog.Logger

	mu      sync.Mutex
	pending map[string]*bytes.Buffer // lines that wait, by day
	waiting int                      // bytes in them
	lost    int

	// Of Flush, one at a time.
	flushing sync.Mutex
	object   map[string]*object // that is being filled, by day
	objects  int                // that were begun
}

// object is what one key holds so far.
type object struct {
	key  string
	body []byte
}

// New writes to b. now is nil for time.Now, log for none.
func New(b storage.Bucket, now func() time.Time, log *slog.Logger) *Log {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Log{bucket: b, process: strings.ToLower(rand.Text()[:8]), now: now, log: log, pending: map[string]*bytes.Buffer{}, object: map[string]*object{}}
}

// Add notes an entry. It never waits. A nil Log notes nothing.
func (l *Log) Add(e Entry) {
	if l == nil {
		return
	}
	e.Time = e.Time.UTC()
	line, err := json.Marshal(e)
	if err != nil { // of strings and numbers
		l.log.Error("an entry of the audit log cannot be written", "error", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting+len(line) > maxPending {
		l.lost++
		return
	}
	l.put(e.Time.Format(dayForm), line)
}

func (l *Log) put(day string, line []byte) {
	b := l.pending[day]
	if b == nil {
		b = new(bytes.Buffer)
		l.pending[day] = b
	}
	b.Write(line)
	b.WriteByte('\n')
	l.waiting += len(line) + 1
}

// take returns what waits, by day, with a line for what was lost.
func (l *Log) take() map[string]*bytes.Buffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		now := l.now().UTC()
		if line, err := json.Marshal(Entry{Time: now, Outcome: Lost, Count: l.lost}); err == nil {
			l.put(now.Format(dayForm), line)
			l.lost = 0
		}
	}
	taken := l.pending
	l.pending, l.waiting = map[string]*bytes.Buffer{}, 0
	return taken
}

// Flush writes what was collected. What cannot be written waits for the next time.
func (l *Log) Flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	var errs []error
	today := l.now().UTC().Format(dayForm)
	for day, lines := range l.take() {
		o := l.object[day]
		if o == nil {
			o = &object{key: fmt.Sprintf("%s%s/%s-%s-%d.jsonl", keys.Audit, day, l.now().UTC().Format("150405.000000"), l.process, l.objects)}
			l.objects++
		}
		body := append(o.body[:len(o.body):len(o.body)], lines.Bytes()...)
		if _, err := l.bucket.Put(ctx, o.key, bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
			errs = append(errs, fmt.Errorf("write audit log: %w", err))
			l.back(day, lines)
			continue
		}
		o.body = body
		if l.object[day] = o; len(body) >= maxObject {
			delete(l.object, day)
		}
	}
	for day := range l.object {
		if day != today {
			delete(l.object, day)
		}
	}
	return errors.Join(errs...)
}

// back puts lines that could not be written before those that came since.
func (l *Log) back(day string, lines *bytes.Buffer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if since := l.pending[day]; since != nil {
		lines.Write(since.Bytes())
		l.waiting -= since.Len()
	}
	l.pending[day] = lines
	l.waiting += lines.Len()
}

// ending is how long the last of the log may take to be written.
const ending = 5 * time.Second

// Run flushes at each Interval until ctx ends, and then once more.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
			defer cancel()
			if err := l.Flush(last); err != nil {
				l.log.Error("the last entries of the audit log were not written", "error", err)
			}
			return nil
		case <-tick.C:
		}
		err := l.Flush(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			l.log.Warn("the audit log cannot be written; its entries wait", "error", err)
		}
		failed = err != nil
	}
}

// CheckDay is an error of code jobs.Invalid for what is not a day such as 2026-01-31.
func CheckDay(day string) error {
	if _, err := time.Parse(dayForm, day); err != nil {
		return &jobs.Error{Code: jobs.Invalid, Detail: fmt.Sprintf("%.40q is not a day such as 2026-01-31", day), Problems: []jobs.Problem{{Pointer: "query.date", Detail: "is not a day such as 2026-01-31"}}}
	}
	return nil
}

// Read writes the lines of a day ("2026-01-31", UTC) to w: object after object, so in
// order of time for each process. It begins with what this process has yet to write.
func (l *Log) Read(ctx context.Context, day string, w io.Writer) error {
	if err := CheckDay(day); err != nil {
		return err
	}
	if err := l.Flush(ctx); err != nil {
		return err
	}
	for e, err := range l.bucket.List(ctx, keys.Audit+day+"/") {
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		if err := l.copy(ctx, e.Key, w); err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
	}
	return nil
}

func (l *Log) copy(ctx context.Context, key string, w io.Writer) error {
	o, err := l.bucket.Get(ctx, key)
	if errors.Is(err, storage.ErrNotExist) { // expired meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer o.Close()
	_, err = io.Copy(w, bufio.NewReader(o))
	return err
}

// Expire deletes the objects of days that ended before a time. It returns how many
// there were.
func (l *Log) Expire(ctx context.Context, before time.Time) (n int, err error) {
	for e, err := range l.bucket.List(ctx, keys.Audit) {
		if err != nil {
			return n, fmt.Errorf("expire audit log: %w", err)
		}
		day, _, _ := strings.Cut(strings.TrimPrefix(e.Key, keys.Audit), "/")
		began, err := time.Parse(dayForm, day)
		if err != nil {
			continue // not ours
		}
		if began.AddDate(0, 0, 1).After(before) {
			break
		}
		if err := l.bucket.Delete(ctx, e.Key); err != nil {
			return n, fmt.Errorf("expire audit log: %w", err)
		}
		n++
	}
	return n, nil
}
