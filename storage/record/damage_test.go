package record_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/record"
	"polyid-trainer/storage/storagetest"
)

// thing is a record that says what cannot be.
type thing struct {
	Name string `json:"name"`
}

func (t *thing) CheckRecord(string) error {
	switch t.Name {
	case "bad":
		return errors.New("its name is bad")
	case "panic":
		panic("no such name")
	}
	return nil
}

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, b storage.Bucket, key, body string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		t.Fatal(err)
	}
}

// damages are records that cannot be read, with a part of the reason.
var damages = map[string]string{
	"":                                       "empty",
	"{":                                      "not JSON",
	`{"schema":1,"version":1,"record":{"na`:  "not JSON",
	"\x00\x00\x00\x00":                       "not JSON",
	"[]":                                     "not JSON",
	`{}`:                                     "no schema",
	`{"schema":1}`:                           "no record",
	`{"schema":1,"record":null}`:             "no record",
	`{"schema":7,"record":{"name":"new"}}`:   "run a newer program",
	`{"schema":1,"record":{"name":5}}`:       "does not fit",
	`{"schema":1,"record":{"name":"bad"}}`:   "its name is bad",
	`{"schema":1,"record":{"name":"panic"}}`: "no such name",
}

func TestDamage(t *testing.T) {
	b := bucket(t)
	for body, reason := range damages {
		put(t, b, "k", body)
		_, _, err := record.Load[thing](t.Context(), b, "k")
		var damaged *record.DamagedError
		if !errors.As(err, &damaged) || damaged.Key != "k" || !strings.Contains(damaged.Reason, reason) || !record.IsDamaged(err) {
			t.Errorf("Load of %q = %v, want a DamagedError that says %q", body, err, reason)
		}
		if _, err := record.Update(t.Context(), b, "k", func(*thing) error { return nil }); !record.IsDamaged(err) {
			t.Errorf("Update of %q = %v", body, err)
		}
		if err := record.Create(t.Context(), b, "k", &thing{}); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Create over %q = %v, want a conflict", body, err)
		}
	}
}

// Storage that fails tells nothing of the records.
func TestFaultIsNoDamage(t *testing.T) {
	r := &record.Register{Log: slog.New(slog.DiscardHandler), Bucket: &storagetest.Faulty{
		Bucket: bucket(t), Fail: func(int, string, string) storagetest.Fault { return storagetest.Refused },
	}}
	if _, _, err := record.Load[thing](t.Context(), r, "k"); err == nil || record.IsDamaged(err) {
		t.Errorf("Load = %v", err)
	}
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// A record that could not be read back is not written.
func TestTooLargeToReadBack(t *testing.T) {
	b := bucket(t)
	if err := record.Create(t.Context(), b, "k", &thing{}); err != nil {
		t.Fatal(err)
	}
	if _, err := record.Update(t.Context(), b, "k", func(x *thing) error { x.Name = strings.Repeat("x", record.Max); return nil }); err == nil {
		t.Error("Update with a record that is too large succeeded")
	}
	if e, _, err := record.Load[thing](t.Context(), b, "k"); err != nil || e.Record.Name != "" {
		t.Errorf("the record is %v, %v", e, err)
	}
}

// A Register logs a damaged record once and knows it until it is replaced, found
// in order, or gone.
func TestRegister(t *testing.T) {
	var log bytes.Buffer
	inner := bucket(t)
	r := &record.Register{Bucket: inner, Log: slog.New(slog.NewTextHandler(&log, nil))}
	load := func(key string) { record.Load[thing](t.Context(), r, key) }
	for i := range 5 {
		put(t, inner, fmt.Sprint("k", i), "")
	}
	for range 3 {
		for i := range 5 {
			load(fmt.Sprint("k", i))
		}
	}
	if n := strings.Count(log.String(), "a record is damaged"); n != 5 {
		t.Errorf("%d lines for 5 damaged records:\n%s", n, &log)
	}
	err := r.Check(t.Context())
	for _, want := range []string{"k0", "k1", "k2", "2 more"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, which does not say %q", err, want)
		}
	}
	sound, err := json.Marshal(record.Envelope[thing]{Schema: 1, Version: 1, Record: &thing{}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, r, "k0", string(sound))     // replaced through it
	put(t, inner, "k1", string(sound)) // replaced by another process, and read again
	load("k1")
	if err := r.Delete(t.Context(), "k2"); err != nil {
		t.Fatal(err)
	}
	if err := inner.Delete(context.Background(), "k3"); err != nil {
		t.Fatal(err)
	}
	load("k3")
	if left := r.Damaged(); len(left) != 1 || left[0].Key != "k4" {
		t.Errorf("damaged are %v, want k4", left)
	}
}

// Whatever lies there is read or is damaged; nothing else comes of it.
func FuzzLoad(f *testing.F) {
	for body := range damages {
		f.Add([]byte(body))
	}
	b, err := file.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := b.Put(t.Context(), "k", bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := record.Load[thing](t.Context(), b, "k"); err != nil && !record.IsDamaged(err) {
			t.Errorf("Load = %v", err)
		}
	})
}
