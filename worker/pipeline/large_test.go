package pipeline_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn"
	"polyid-trainer/storage"
)

// TestLargeTable trains on 200,000 repeat units, made of the shipped ones, in
// chains of 40 heavy atoms: from the table to the revision, with five folds of
// one epoch, two at a time, in 1.5 GB. ROWS sets another number.
func TestLargeTable(t *testing.T) {
	if os.Getenv("LONG") != "1" {
		t.Skip("takes an hour: set LONG=1")
	}
	rows := 200_000
	if n, err := strconv.Atoi(os.Getenv("ROWS")); err == nil {
		rows = n
	}
	p := newPlant(t)
	s := spec()
	s.Dataset, s.KFolds, s.Epochs, s.BatchSize, s.Publish = data.Names{"generated"}, 5, 1, 32, nil
	s.Chains = structure.Chains{MaxHeavyAtoms: 40}
	s.Model = nn.Config{AtomFeatures: 32, BondFeatures: 32, NumMessages: 4}
	j, err := jobs.New(time.Now(), "tester", s.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	csv := manyUnits(t, rows)
	if _, err := p.Bucket.Put(t.Context(), keys.Dataset(j.ID), bytes.NewReader(csv), int64(len(csv)), storage.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	if err := p.Store.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []jobs.Kind{jobs.Prepare, jobs.TrainFold, jobs.Finalize} {
		began, cpu := time.Now(), cpuSeconds(t)
		p.stage(j.ID, kind)
		t.Logf("%s: %.0f s, %.0f s of processors; %d MB at most", kind, time.Since(began).Seconds(), cpuSeconds(t)-cpu, peakMB(t))
	}
	if j = p.job(j.ID); j.State != jobs.Succeeded {
		t.Fatalf("the job is %s: %+v", j.State, j.Failure)
	}
	if mb := peakMB(t); mb > 1500 {
		t.Errorf("it took %d MB, more than 1,500", mb)
	}
}

// stage works off the tasks of one kind, two at a time.
func (p *plant) stage(id string, kind jobs.Kind) {
	p.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for _, task := range p.needed(id) {
		if task.Kind != kind {
			p.Fatalf("the job needs %s, not %s: %+v", task.Kind, kind, p.job(id).Failure)
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := p.Handle(p.Context(), task); err != nil {
				p.Errorf("%s: %v", task.ID(), err)
			}
		})
	}
	wg.Wait()
}

// manyUnits is a table of that many different repeat units: the shipped ones, with
// what a chemist may put between them.
func manyUnits(t *testing.T, rows int) []byte {
	t.Helper()
	shipped, _ := data.Shipped("polymers_seven_properties")
	table, _, err := data.Parse(t.Context(), []*data.Sheet{shipped.Sheet()}, data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString("smiles_repeat_unit,Glass_Transition,Density\n")
	parts := []string{"C", "CC", "C(F)", "C(Cl)", "C(C)", "C(O)"}
	random := rand.New(rand.NewPCG(1, 1))
	for made := 0; made < rows; {
		for i := range table.Structures {
			rest, ok := strings.CutPrefix(table.Structures[i].RepeatUnit, "*")
			if !ok || strings.ContainsAny(rest[:1], "=#(/\\") || made == rows {
				continue
			}
			n := made / len(table.Structures)
			spacer := parts[n%6] + parts[n/6%6] + parts[n/36%6]
			fmt.Fprintf(&out, "*%s%s,%.2f,%.3f\n", spacer, rest, 300*random.Float64(), 0.8+random.Float64())
			made++
		}
	}
	return out.Bytes()
}

func peakMB(t *testing.T) int {
	t.Helper()
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("only Linux tells a process's memory")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb / 1000
}

// cpuSeconds is the time that processors gave this process, in user mode.
func cpuSeconds(t *testing.T) float64 {
	t.Helper()
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Skip("only Linux tells a process's time")
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))
	ticks, err := strconv.Atoi(fields[12])
	if err != nil {
		t.Fatal(err)
	}
	return float64(ticks) / 100
}
