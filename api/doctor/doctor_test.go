package doctor_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/doctor"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func put(t *testing.T, b storage.Bucket, key, body string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		t.Fatal(err)
	}
}

// training is a job with two folds.
func training(t *testing.T, b storage.Bucket) *jobs.Job {
	t.Helper()
	s := records.New(b)
	spec := jobs.DefaultSpec()
	spec.Dataset = data.Names{"x"}
	spec.Epochs = 77
	j, err := jobs.New(noon, "tester", spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	put(t, b, "jobs/"+j.ID+"/prepared.json", `{"data":{"name":"x","folds":[{},{}]},"warnings":[]}`)
	if err := s.CreateFolds(t.Context(), j.ID, 2); err != nil {
		t.Fatal(err)
	}
	j, err = s.UpdateJob(t.Context(), j.ID, func(j *jobs.Job) error {
		if err := j.Start(noon); err != nil {
			return err
		}
		return j.Train(jobs.Prepared{Folds: make([]jobs.Size, 2)}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func check(t *testing.T, p doctor.Place, repair bool) (left int, found []doctor.Finding) {
	t.Helper()
	left, err := doctor.Check(t.Context(), p, repair, func(f doctor.Finding) { found = append(found, f) })
	if err != nil {
		t.Fatal(err)
	}
	return left, found
}

// Every kind of damage is found, then repaired or set aside, and then gone.
func TestDamageIsFoundAndRepaired(t *testing.T) {
	table, prediction := jobs.NewID(jobs.DatasetPrefix), jobs.NewID(jobs.PredictionPrefix)
	for name, do := range map[string]func(t *testing.T, b storage.Bucket, j *jobs.Job){
		"job":        func(t *testing.T, b storage.Bucket, j *jobs.Job) { put(t, b, "jobs/"+j.ID+"/job.json", "{") },
		"job gone":   func(t *testing.T, b storage.Bucket, j *jobs.Job) { remove(t, b, "jobs/"+j.ID+"/job.json") },
		"fold":       func(t *testing.T, b storage.Bucket, j *jobs.Job) { put(t, b, "jobs/"+j.ID+"/folds/1.json", "") },
		"fold gone":  func(t *testing.T, b storage.Bucket, j *jobs.Job) { remove(t, b, "jobs/"+j.ID+"/folds/0.json") },
		"checkpoint": checkpointDamaged,
		"index":      func(t *testing.T, b storage.Bucket, j *jobs.Job) { remove(t, b, "index/active/"+j.ID) },
		"usage":      func(t *testing.T, b storage.Bucket, _ *jobs.Job) { put(t, b, "usage/2026-01.json", "x") },
		"dataset":    func(t *testing.T, b storage.Bucket, _ *jobs.Job) { put(t, b, "datasets/"+table+"/meta.json", "") },
		"prediction": func(t *testing.T, b storage.Bucket, _ *jobs.Job) {
			put(t, b, "predictions/"+prediction+"/prediction.json", "")
		},
		"idempotency": func(t *testing.T, b storage.Bucket, _ *jobs.Job) { put(t, b, "idempotency/00", "") },
	} {
		t.Run(name, func(t *testing.T) {
			b, err := file.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			j := training(t, b)
			p := doctor.Place{Bucket: b, Dir: t.TempDir()}
			if left, found := check(t, p, false); left != 0 {
				t.Fatalf("of a sound job it says %v", found)
			}
			do(t, b, j)
			if left, found := check(t, p, false); left != 1 || len(found) != 1 || found[0].Repaired != "" {
				t.Errorf("found %v", found)
			}
			if left, found := check(t, p, true); left != 0 || len(found) != 1 || found[0].Repaired == "" {
				t.Errorf("repaired %v", found)
			}
			if left, found := check(t, p, false); left != 0 {
				t.Errorf("after the repair there is %v", found)
			}
			s := records.New(b)
			again, err := s.Job(t.Context(), j.ID)
			if err != nil || again.Spec.Epochs != 77 || again.Owner != "tester" {
				t.Fatalf("the job is %+v, %v", again, err)
			}
			if again.State == jobs.Failed { // it was made again, and goes on
				again, err = s.UpdateJob(t.Context(), j.ID, (*jobs.Job).Resume)
			}
			if folds, foldErr := s.Folds(t.Context(), j.ID); err != nil || foldErr != nil || again.State != jobs.Training || len(folds) != 2 {
				t.Errorf("the job is %s with %d folds, %v, %v", again.State, len(folds), err, foldErr)
			}
		})
	}
}

func remove(t *testing.T, b storage.Bucket, key string) {
	t.Helper()
	if err := b.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// checkpointDamaged names a checkpoint that cannot be read.
func checkpointDamaged(t *testing.T, b storage.Bucket, j *jobs.Job) {
	t.Helper()
	key := "jobs/" + j.ID + "/folds/0/checkpoints/0003-000005-000000.safetensors"
	put(t, b, key, "not a checkpoint")
	_, err := records.New(b).UpdateFold(t.Context(), j.ID, 0, func(f *jobs.Fold) error {
		f.Attempt, f.Checkpoint = 3, &jobs.Checkpoint{Key: key, Epoch: 5}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The embedded Hub is looked through too.
func TestDamagedHub(t *testing.T) {
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := doctor.Place{Bucket: b, Dir: t.TempDir()}
	oid := strings.Repeat("a", 64)
	blob := filepath.Join(p.Dir, "hub", "lfs", "aa", "aa", oid)
	if err := errors.Join(os.MkdirAll(filepath.Dir(blob), 0o755), os.WriteFile(blob, []byte("something else"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if left, found := check(t, p, false); left != 1 || !strings.Contains(found[0].Key, oid) {
		t.Errorf("found %v", found)
	}
	if left, found := check(t, p, true); left != 0 || len(found) != 1 {
		t.Errorf("repaired %v", found)
	}
}

// What a newer program wrote is no damage to be repaired by this one.
func TestNewerRecordStays(t *testing.T) {
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j := training(t, b)
	key, newer := "jobs/"+j.ID+"/job.json", `{"schema":9,"version":1,"record":{"id":7}}`
	put(t, b, key, newer)
	put(t, b, "idempotency/00", newer)
	if left, found := check(t, doctor.Place{Bucket: b, Dir: t.TempDir()}, true); left != 2 || !strings.Contains(found[0].Problem, "run a newer program") {
		t.Errorf("found %v", found)
	}
	for _, key := range []string{key, "idempotency/00"} {
		o, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(o)
		if o.Close(); err != nil || string(body) != newer {
			t.Errorf("%s holds %s now, %v", key, body, err)
		}
	}
}

// Without what a job was created from its record is set aside.
func TestJobThatIsLost(t *testing.T) {
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j := training(t, b)
	put(t, b, "jobs/"+j.ID+"/job.json", "{")
	remove(t, b, "jobs/"+j.ID+"/created.json")
	p := doctor.Place{Bucket: b, Dir: t.TempDir()}
	left, found := check(t, p, true)
	if left != 0 || len(found) != 1 || !strings.Contains(found[0].Repaired, "settings are lost") {
		t.Errorf("found %v", found)
	}
	if left, found := check(t, p, false); left != 0 {
		t.Errorf("then %v", found)
	}
}
