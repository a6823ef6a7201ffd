package pipeline_test

import (
	"testing"
	"time"

	"polyid-trainer/worker/pipeline"
)

// While two folds run, each is charged half of the time.
func TestMeter(t *testing.T) {
	c := newClock()
	m := pipeline.NewMeter(c.Now)
	a := m.Start()
	c.Add(10 * time.Second)
	b := m.Start()
	c.Add(10 * time.Second)
	if a.Owed() != 15*time.Second || b.Owed() != 5*time.Second {
		t.Errorf("owed %s and %s", a.Owed(), b.Owed())
	}
	a.Stop()
	c.Add(10 * time.Second)
	if a.Owed() != 15*time.Second || b.Owed() != 15*time.Second {
		t.Errorf("after one has stopped %s and %s", a.Owed(), b.Owed())
	}
	b.Stop()
	c.Add(time.Hour)
	d := m.Start()
	c.Add(time.Second)
	if d.Owed() != time.Second || b.Owed() != 15*time.Second {
		t.Errorf("after an hour of nothing %s and %s", d.Owed(), b.Owed())
	}
}
