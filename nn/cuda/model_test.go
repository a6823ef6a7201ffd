package cuda

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/plan"
)

// dataSheet is what the model knows of a device, from its data sheet.
type dataSheet struct {
	name            string
	multiprocessors float64
	clock           float64 // Hz, boost
	bandwidth       float64 // bytes/s
}

var gpus = []dataSheet{
	{"A10G", 80, 1.71e9, 600e9},
	{"A100", 108, 1.41e9, 1555e9},
	{"H100", 132, 1.98e9, 3350e9},
	{"H200", 132, 1.98e9, 4800e9},
}

// The model's assumptions; see the package comment.
const (
	perPhase  = 3e-6  // seconds
	perStep   = 30e-6 // seconds
	alone     = 1000. // cycles for 32 summed indices of a tile, one block on a multiprocessor
	together  = 800.  // cycles of each, two blocks
	pooling   = 4000. // cycles
	sustained = 0.7   // of the bandwidth
)

// cycles is how long a tile of o keeps a multiprocessor busy.
func cycles(o *op) float64 {
	switch o.Kind {
	case opProduct:
		return alone * float64(o.Sources) * math.Ceil(float64(o.K)/tile)
	case opGradient:
		return alone * math.Ceil(float64(o.K)/tile)
	case opPool, opPoolBack:
		return pooling
	}
	return alone // rows: a load, an addition or two and a store per element
}

// estimate is the latency of a run of some phases, and how long it would keep
// all multiprocessors busy.
func (g dataSheet) estimate(p *program, phases []phase, params int) (latency, work float64) {
	latency, work = perStep, 0.0
	for i, ph := range phases {
		longest, sum := 0.0, 0.0
		for j := range p.ops[ph.Op : ph.Op+ph.Ops] {
			o := &p.ops[int(ph.Op)+j]
			c := cycles(o)
			longest = max(longest, c)
			sum += c * float64(o.Tiles)
		}
		busy := sum * together / alone / g.multiprocessors / g.clock
		work += busy
		t := max(longest/g.clock, busy)
		if i == len(p.phases)-1 {
			bytes := 24 * float64(params) / (g.bandwidth * sustained)
			work += bytes
			t += bytes
		}
		latency += perPhase + t
	}
	return latency, work
}

// TestModel holds the table in the package comment to the programs.
func TestModel(t *testing.T) {
	t.Parallel()
	c := nn.DefaultConfig()
	s := enginetest.ShippedSizes
	params := nn.NumParams(c, s)
	examples := enginetest.ShippedExamples(t, c)
	programs := map[*plan.Plan]*program{}
	phases, states := 0.0, 0
	for _, ex := range examples {
		if programs[ex.Plan] == nil {
			p, err := assemble(c, s, newPlanImage(ex.Plan))
			if err != nil {
				t.Fatal(err)
			}
			programs[ex.Plan] = p
			states = max(states, 4*p.states)
		}
		phases = float64(len(programs[ex.Plan].phases))
	}
	bytes := 0
	for _, p := range programs {
		bytes += len(bytesOf(p.ops)) + len(bytesOf(p.phases))
	}
	t.Logf("%d kB of program a plan", bytes/len(programs)/1000)
	t.Logf("%.0f phases, %d parameters, states of up to %.1f MB", phases, params, mb(states))
	table := []string{"              ms a step, 1 fold   5 folds at once, each   limit, any number of folds   hours for the job"}
	for _, g := range gpus {
		var step, work, check, checkWork float64
		for _, ex := range examples {
			p := programs[ex.Plan]
			l, w := g.estimate(p, p.phases, params)
			step, work = step+l, work+w
			l, w = g.estimate(p, p.phases[:p.forward], params)
			check, checkWork = check+l, checkWork+w
		}
		n := float64(len(examples))
		step, work, check, checkWork = step/n, work/n, check/n, checkWork/n
		const folds, epochs, train = 5, 500, 183
		validate := n / folds // each fold predicts its own rows every epoch
		shared := max(step, folds*work)
		job := epochs * (train*shared + validate*max(check, folds*checkWork))
		table = append(table, fmt.Sprintf("%-12s  %17.2f   %21.2f   %26.2f   %17.2f", g.name, 1e3*step, 1e3*shared, 1e3*work, job/3600))
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range table {
		if !strings.Contains(string(doc), "//\t"+line+"\n") {
			t.Errorf("the package comment lacks\n//\t%s", line)
		}
	}
}
