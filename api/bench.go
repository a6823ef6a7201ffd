package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/kernel"
	"polyid-trainer/nn/plan"
	"polyid-trainer/nn/train"
)

// BenchCmd measures what this machine does with PolyID's default job.
type BenchCmd struct {
	Seconds float64    `default:"15" help:"How long to train; the other measurements take about as long together."`
	Batch   int        `default:"1" help:"Polymers of one training step, as a job's batch_size."`
	Chains  chainsFlag `placeholder:"JSON" help:"How repeat units and monomers grow, as a job's chains: {\"dp\":3}, {\"periodic\":true}."`
	Dataset string     `default:"stereopolymer_input_nopush" placeholder:"NAME" help:"A shipped dataset, or a file with a table, of which some hundred rows are used (${default})."`
}

// Validate refuses a time in which nothing can be measured, and a batch that no
// job can have.
func (c *BenchCmd) Validate() error {
	if c.Batch < 1 || c.Batch > train.MaxBatchSize {
		return fmt.Errorf("--batch: %d is not between 1 and %d", c.Batch, train.MaxBatchSize)
	}
	if !(c.Seconds > 0 && c.Seconds <= 3600) {
		return errors.New("--seconds: want more than 0 and at most 3600")
	}
	return nil
}

// benchResult is what bench writes on standard output.
type benchResult struct {
	MsPerStep       float64 `json:"ms_per_step"`
	MsPerPolymer    float64 `json:"ms_per_polymer"` // a step's time over its polymers
	FoldsParallel   int     `json:"folds_parallel"`
	PlanMs          float64 `json:"plan_ms"`           // to build one plan
	BytesPerPolymer float64 `json:"bytes_per_polymer"` // of its plan
	AllocsPerStep   float64 `json:"allocs_per_step"`
	GemmGFLOPS      float64 `json:"gemm_gflops"`
	FMAPeakGFLOPS   float64 `json:"fma_peak_gflops"`
	PredictPerS     float64 `json:"predict_per_s"`
	FeaturizePerS   float64 `json:"featurize_per_s"`
	EstimatedHours  float64 `json:"estimated_hours"`
	KernelPath      string  `json:"kernel_path"`
}

// Run measures, telling progress and a table on standard error.
func (c *BenchCmd) Run(ctx context.Context, std *streams) error {
	r, err := c.measure(ctx, std.err)
	if err != nil {
		return err
	}
	r.table(std.err)
	return json.NewEncoder(std.out).Encode(r.benchResult)
}

// measured is a result with what only the table shows.
type measured struct {
	benchResult
	bytesPerStep float64
	msPredict    float64 // of one graph, by every core at once
	batch        int
	gflops       float64 // of the products of training, all cores together
	planBytes    int
	heapPerFold  float64
}

func (c *BenchCmd) measure(ctx context.Context, progress io.Writer) (*measured, error) {
	r := &measured{batch: c.Batch}
	r.FoldsParallel = runtime.GOMAXPROCS(0)
	r.KernelPath = kernel.Best().Path()
	config := nn.DefaultConfig()

	say := func(what string) { fmt.Fprintf(progress, "bench: %s\n", what) }
	say("reading " + c.Dataset)
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		return nil, err
	}
	table, set, err := readDataset(ctx, c.Dataset, c.Chains.WithDefaults(), f, config.NumMessages)
	if err != nil {
		return nil, err
	}
	everything := data.Fold{Train: make([]int, table.Rows())}
	for i := range everything.Train {
		everything.Train[i] = i
	}
	fold, err := set.Fold(table, everything)
	if err != nil {
		return nil, err
	}
	examples := fold.Train.All()
	r.planBytes = planBytes(examples)
	r.BytesPerPolymer = float64(r.planBytes) / float64(set.Distinct())
	if r.PlanMs, err = benchPlans(f, table, config.NumMessages); err != nil {
		return nil, err
	}

	say("featurizing")
	if r.FeaturizePerS, err = benchFeaturize(ctx, table, time.Duration(c.Seconds*float64(time.Second)/10)); err != nil {
		return nil, err
	}
	say(fmt.Sprintf("multiplying matrices on %d cores", r.FoldsParallel))
	shapes := stepShapes(examples, config)
	r.GemmGFLOPS, r.FMAPeakGFLOPS = benchProducts(kernel.Best(), shapes, r.FoldsParallel)

	say(fmt.Sprintf("training %d folds side by side for %.0f s", r.FoldsParallel, c.Seconds))
	t, err := benchTraining(ctx, config, fold, r.FoldsParallel, c.Batch, time.Duration(c.Seconds*float64(time.Second)))
	if err != nil {
		return nil, err
	}
	r.MsPerStep, r.MsPerPolymer, r.gflops = t.msPerStep, t.msPerPolymer, t.gflops
	r.AllocsPerStep, r.bytesPerStep, r.heapPerFold = t.allocs, t.bytes, t.heap

	say("predicting")
	if r.PredictPerS, r.msPredict, err = benchPredict(ctx, config, fold, table, r.FoldsParallel, time.Duration(c.Seconds*float64(time.Second)/5)); err != nil {
		return nil, err
	}
	r.EstimatedHours, err = estimateHours(table, set, r.MsPerPolymer, r.msPredict, r.FoldsParallel)
	return r, err
}

// table explains the figures to people.
func (r *measured) table(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("kernels", "%s, %d cores", r.KernelPath, r.FoldsParallel)
	row("training step", "%.1f ms on each core, default network at batch %d", r.MsPerStep, r.batch)
	row("", "%.2f ms a polymer; its products run at %.0f %% of what registers do", r.MsPerPolymer, 100*r.gflops/r.FMAPeakGFLOPS)
	row("", "%.0f allocations, %.0f kB", r.AllocsPerStep, r.bytesPerStep/1e3)
	row("memory", "%.0f MB a fold, %.1f MB of plans for all", r.heapPerFold/1e6, float64(r.planBytes)/1e6)
	row("plan", "%.2f ms and %.0f kB a distinct polymer", r.PlanMs, r.BytesPerPolymer/1e3)
	row("matrix products", "%.0f GFLOP/s of %.0f on registers: %.0f %%", r.GemmGFLOPS, r.FMAPeakGFLOPS, 100*r.GemmGFLOPS/r.FMAPeakGFLOPS)
	row("prediction", "%.0f polymers/s with one model, from SMILES", r.PredictPerS)
	row("featurizing", "%.0f polymers/s", r.FeaturizePerS)
	row("default job", "%.2f hours: %d folds of %d epochs", r.EstimatedHours, defaultFolds, train.DefaultEpochs)
	t.Flush()
}

// planBytes is the memory of the distinct plans among examples.
func planBytes(examples []nn.Example) int {
	seen := map[*plan.Plan]bool{}
	n := 0
	for _, x := range examples {
		if !seen[x.Plan] {
			seen[x.Plan] = true
			n += x.Plan.Bytes()
		}
	}
	return n
}

// defaultFolds is the kfolds of a job that says nothing.
const defaultFolds = 5

// estimateHours is the time that the default job's folds take on cores cores: a
// fold keeps one core for all its epochs, and the next fold takes the first core
// that is free.
func estimateHours(table *data.Table, set *dataset.Dataset, msPerPolymer, msPredict float64, cores int) (float64, error) {
	split, err := table.Partition(data.PartitionRequest{Folds: defaultFolds, Split: data.Split{}.WithDefaults()})
	if err != nil {
		return 0, err
	}
	busy := make([]float64, cores)
	last := 0.0
	for _, rows := range split.Folds {
		fold, err := set.Fold(table, rows)
		if err != nil {
			return 0, err
		}
		epoch := float64(fold.Train.Len())*msPerPolymer + float64(train.DistinctGraphs(fold.Validate))*msPredict
		free := 0
		for i := range busy {
			if busy[i] < busy[free] {
				free = i
			}
		}
		busy[free] += train.DefaultEpochs * epoch
		last = max(last, busy[free])
	}
	return last / 3.6e6, nil
}
