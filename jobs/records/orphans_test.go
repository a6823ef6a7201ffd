package records_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

// What a failed creation left goes after two days. Jobs stay, and so does what was
// worked on and has lost its record.
func TestFailedCreationsExpire(t *testing.T) {
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store, ctx := records.New(bucket), t.Context()
	put := func(key string) {
		t.Helper()
		if _, err := bucket.Put(ctx, key, strings.NewReader("x"), 1, storage.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(fail error) string {
		t.Helper()
		spec := jobs.DefaultSpec()
		spec.Dataset = data.Names{"x"}
		spec.Webhook = &jobs.Webhook{URL: "https://example.org"}
		j, err := jobs.New(time.Now(), "tester", spec)
		if err != nil {
			t.Fatal(err)
		}
		err = store.Create(ctx, j, func(context.Context) error { put("jobs/" + j.ID + "/dataset.csv"); return nil }, func(context.Context) error {
			put("jobs/" + j.ID + "/init/model_fold_0/model.safetensors")
			return fail
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
		return j.ID
	}
	full := errors.New("storage is full")
	failed, made, lost, bare := create(full), create(nil), create(nil), create(full)
	put("jobs/" + lost + "/prepared.json")
	if err := bucket.Delete(ctx, "jobs/"+lost+"/job.json"); err != nil {
		t.Fatal(err)
	}
	for key := range keysOf(t, bucket, "jobs/"+bare) { // only its entries are left
		if err := bucket.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	of := func(id string) []string {
		_, chance, _ := strings.Cut(id, "_")
		return slices.Collect(func(yield func(string) bool) {
			for key := range keysOf(t, bucket, "") {
				if (strings.Contains(key, id) || strings.Contains(key, mirror(chance))) && !yield(key) {
					return
				}
			}
		})
	}
	for _, tc := range []struct {
		age  time.Duration
		gone bool
	}{{47 * time.Hour, false}, {49 * time.Hour, true}} {
		if err := store.Sweep(ctx, time.Now().Add(tc.age)); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{failed, bare} {
			if left := of(id); (len(left) == 0) != tc.gone {
				t.Errorf("after %s a failed creation has left %q", tc.age, left)
			}
		}
		for _, id := range []string{made, lost} {
			if len(of(id)) < 4 {
				t.Errorf("after %s a job has only %q", tc.age, of(id))
			}
		}
		if _, err := store.Job(ctx, made); err != nil {
			t.Error(err)
		}
	}
}

func keysOf(t *testing.T, b storage.Bucket, prefix string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for e, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		out[e.Key] = true
	}
	return out
}

// mirror is how the index writes the part of an id behind its prefix.
func mirror(chance string) string {
	const order = "0123456789abcdefghijklmnopqrstuvwxyz"
	return strings.Map(func(r rune) rune { return rune(order[len(order)-1-strings.IndexRune(order, r)]) }, chance)
}
