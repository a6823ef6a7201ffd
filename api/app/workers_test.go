package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A process with everything embedded lists its own worker, with nothing to do and
// nothing waiting, and the page shows it.
func TestWorkers(t *testing.T) {
	a, _ := start(t, Config{Concurrency: 3})
	var list struct {
		Data []struct {
			Name, Device, Version string
			Slots, Free           int
			Folds                 []any
		}
	}
	deadline := time.Now().Add(time.Minute)
	for len(list.Data) == 0 {
		status, body := get(t, a.URL()+"/v1/workers")
		if err := json.Unmarshal([]byte(body), &list); status != 200 || err != nil || time.Now().After(deadline) {
			t.Fatalf("%d %s, %v", status, body, err)
		}
	}
	if w := list.Data[0]; w.Name != worker() || w.Slots != 3 || w.Free != 3 || w.Device != "cpu" || w.Version == "" || w.Folds == nil {
		t.Errorf("%+v", w)
	}
	if status, body := get(t, a.URL()+"/v1/queue"); status != 200 || !strings.Contains(body, `"workers":1,"slots":3,"free":3,"tokens":[],"waiting":[]`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := get(t, a.URL()+"/workers"); status != 200 || !strings.Contains(body, worker()) || !strings.Contains(body, "Nothing waits") {
		t.Errorf("%d %s", status, body)
	}
}
