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
	lanes           float64 // float32 multiply-adds of a multiprocessor a cycle
	clock           float64 // Hz, boost
	bandwidth       float64 // bytes/s
}

var gpus = []dataSheet{
	{"A10G", 80, 128, 1.71e9, 600e9},
	{"A100", 108, 64, 1.41e9, 1555e9},
	{"H100", 132, 128, 1.98e9, 3350e9},
	{"H200", 132, 128, 1.98e9, 4800e9},
}

// The model's assumptions; see the package comment.
const (
	perPhase  = 3e-6   // seconds
	perStep   = 140e-6 // seconds
	perTile   = 2300.  // cycles of a product or a gradient
	perChunk  = 250.   // more of it for each 32 summed indices
	updating  = 4000.  // more of a gradient, for what becomes of it
	onRows    = 200.   // cycles of a tile of an operation on rows
	dotting   = 5000.  // cycles of a product that undoes a pooling
	pooling   = 14000. // cycles
	together  = 0.65   // of a tile's cycles, where a multiprocessor has several
	sustained = 0.7    // of the bandwidth
)

// cycles is how long a tile of o takes a multiprocessor that has no other.
func cycles(o *op) float64 {
	switch o.Kind {
	case opProduct:
		if o.K == 0 {
			return dotting
		}
		return perTile + perChunk*math.Ceil(float64(o.K)/32)
	case opGradient:
		return perTile + updating + perChunk*math.Ceil(float64(o.K)/32)
	case opPool:
		return pooling
	}
	return onRows
}

// counts are o's float32 operations, and the bytes that it reads and writes if
// nothing is cached between operations: each input once, each output once.
func counts(o *op) (flops, bytes float64) {
	m, n, k := float64(o.M), float64(o.N), float64(o.K)
	switch o.Kind {
	case opProduct:
		return 2*m*n*k + 4*m*n, 4 * (m*k + k*n + 2*m*n)
	case opGradient:
		return 2*m*n*k + 14*m*n, 4*(m*k+k*n) + 24*m*n // and Adam
	case opVector:
		return (k+14)*n + float64(o.K2)*n, 4*(k+float64(o.K2))*n + 24*n
	case opClasses:
		return k*n + 14*m*n, 4*k*n + 24*m*n
	case opPool, opPoolBack:
		rows, hidden := k+float64(o.K2), 2*n*float64(o.Sources)
		return 2 * (rows*n + n*m + m*hidden), 4 * (rows*n + n*m + m*hidden)
	case opSum:
		return 2 * k * n, 4 * (k*n + n)
	}
	return 4 * m * n, 4 * 4 * m * n // rows: some additions, about three inputs
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
		busy := sum * together / g.multiprocessors / g.clock
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

// TestModel holds the tables in the package comment to the programs.
func TestModel(t *testing.T) {
	t.Parallel()
	c := nn.DefaultConfig()
	s := enginetest.ShippedSizes
	params := nn.NumParams(c, s)
	examples := enginetest.ShippedExamples(t, c)
	programs := map[*plan.Plan]*program{}
	phases, states := 0.0, 0
	var flops, moved float64
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
		for i := range programs[ex.Plan].ops {
			f, b := counts(&programs[ex.Plan].ops[i])
			flops, moved = flops+f/float64(len(examples)), moved+b/float64(len(examples))
		}
	}
	bytes := 0
	for _, p := range programs {
		bytes += len(bytesOf(p.ops)) + len(bytesOf(p.phases)) + len(bytesOf(p.owners))
	}
	lines := []string{
		fmt.Sprintf("a step: 1 launch of %.0f phases, %.2f GFLOP, %.0f MB", phases, flops/1e9, moved/1e6),
		"              launch, copies   phases   arithmetic   memory   ms, were each the only one to count",
	}
	for _, g := range gpus {
		lines = append(lines, fmt.Sprintf("%-12s  %14.2f   %6.2f   %10.2f   %6.2f", g.name, 1e3*perStep, 1e3*perPhase*phases,
			1e3*flops/(2*g.lanes*g.multiprocessors*g.clock), 1e3*moved/(g.bandwidth*sustained)))
	}
	t.Logf("%d kB of program a plan", bytes/len(programs)/1000)
	t.Logf("%.0f phases, %d parameters, states of up to %.1f MB", phases, params, mb(states))
	lines = append(lines, "              ms a step, 1 fold   5 folds at once, each   limit, any number of folds   hours for the job   in turns")
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
		shared := step + (folds-1)*work
		job := epochs * (train*shared + validate*(check+(folds-1)*checkWork))
		turns := folds * epochs * (train*step + validate*check)
		lines = append(lines, fmt.Sprintf("%-12s  %17.2f   %21.2f   %26.2f   %17.2f   %8.2f", g.name, 1e3*step, 1e3*shared, 1e3*work, job/3600, turns/3600))
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		t.Log(line)
		if !strings.Contains(string(doc), "//\t"+line+"\n") {
			t.Errorf("the package comment lacks\n//\t%s", line)
		}
	}
}
