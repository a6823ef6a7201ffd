package train_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/train"
)

var slow = flag.Bool("slow", false, "train the default network with ten seeds beside PolyID's five (10 minutes on two cores)")

// fold0 is the fold that PolyID was measured on: testdata/split_seed0_fold0.json
// is the first of five that PolyID made with seed 0.
func fold0(t *testing.T, blocks int) *dataset.Fold {
	t.Helper()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, set, err := dataset.PolyID(t.Context(), f, blocks)
	if err != nil {
		t.Fatal(err)
	}
	var folds data.Folds
	readJSON(t, "testdata/split_seed0_fold0.json", &folds)
	fold, err := set.Fold(table, folds[0])
	if err != nil {
		t.Fatal(err)
	}
	return fold
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// fit trains one seed and returns its history.
func fit(t *testing.T, f *dataset.Fold, c nn.Config, tc train.Config, o train.Options) (*train.Result, nn.Engine) {
	t.Helper()
	e, err := cpu.New(c, f.Sizes(), train.FoldSeed(tc.Seed, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	d := train.Data{Train: f.Train, Validate: f.Validate, Scale: f.Scaler.Scale}
	r, err := train.Fit(t.Context(), e, d, tc, o)
	if err != nil {
		t.Fatal(err)
	}
	return r, e
}

// TestSmallNetworkLearns trains 16 features and 2 blocks far below what the
// training median scores, 0.70 on these rows.
func TestSmallNetworkLearns(t *testing.T) {
	f := fold0(t, 2)
	c := nn.Config{Name: nn.Global100, AtomFeatures: 16, BondFeatures: 16, MolFeatures: 8, NumMessages: 2, Dropout: 0.05}
	tc := train.DefaultConfig()
	tc.Epochs, tc.LearningRate = 20, 3e-3
	r, _ := fit(t, f, c, tc, train.Options{})
	h := r.Progress.History
	best, _ := r.Progress.Best()
	t.Logf("val_loss %.3f after the first epoch, %.3f at best (epoch %d)", h[0].ValLoss, best.ValLoss, best.Epoch)
	if best.ValLoss > 0.45 || h[len(h)-1].Loss > h[0].Loss/2 {
		t.Errorf("it does not learn: %+v", h)
	}
}

// peer is how PolyID learned the same fold, see testdata.
type peer struct {
	Runs []struct {
		Loss    []float64
		ValLoss []float64 `json:"val_loss"`
		Best    float64
	}
}

// TestLearnsAsPolyID trains PolyID's default job for 15 epochs with ten seeds
// and compares with PolyID's five: the median of the best val_loss, and both
// curves from the first epoch on. A single run's val_loss jumps by a factor of
// two from epoch to epoch, so curves are compared by their medians over seeds:
// ours may leave the range of PolyID's five by a quarter of it on either side
// (five values of a distribution do not reach its ends).
func TestLearnsAsPolyID(t *testing.T) {
	if !*slow {
		t.Skip("slow: go test ./nn/train -run LearnsAsPolyID -slow -timeout 30m")
	}
	var polyid peer
	readJSON(t, "testdata/learning_five_seeds.json", &polyid)
	c := nn.DefaultConfig()
	f := fold0(t, c.NumMessages)
	const seeds = 10
	runs := make([][]train.Epoch, seeds)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				tc := train.DefaultConfig()
				tc.Epochs, tc.Seed = 15, uint64(i)
				r, _ := fit(t, f, c, tc, train.Options{})
				runs[i] = r.Progress.History
				best, _ := r.Progress.Best()
				t.Logf("seed %d: best val_loss %.4f at epoch %d; %s", i, best.ValLoss, best.Epoch, curve(r.Progress.History))
			}
		})
	}
	for i := range seeds {
		next <- i
	}
	close(next)
	wg.Wait()

	var bests []float64
	for _, h := range runs {
		p := train.Progress{History: h}
		best, _ := p.Best()
		bests = append(bests, float64(best.ValLoss))
	}
	slices.Sort(bests)
	median := (bests[4] + bests[5]) / 2
	t.Logf("best val_loss: median %.4f of %.4f", median, bests)
	if median > 0.275 {
		t.Errorf("the median of the best val_loss is %.4f, want at most 0.275", median)
	}
	for epoch := range 15 {
		for _, x := range []struct {
			name  string
			ours  func(train.Epoch) float64
			peers func(i int) float64
		}{
			{"loss", func(e train.Epoch) float64 { return float64(e.Loss) }, func(i int) float64 { return polyid.Runs[i].Loss[epoch] }},
			{"val_loss", func(e train.Epoch) float64 { return float64(e.ValLoss) }, func(i int) float64 { return polyid.Runs[i].ValLoss[epoch] }},
		} {
			var ours, peers []float64
			for _, h := range runs {
				ours = append(ours, x.ours(h[epoch]))
			}
			for i := range polyid.Runs {
				peers = append(peers, x.peers(i))
			}
			slices.Sort(ours)
			lo, hi := slices.Min(peers), slices.Max(peers)
			mid := (ours[4] + ours[5]) / 2
			margin := (hi - lo) / 4
			t.Logf("epoch %2d %-8s ours %.3f (%.3f to %.3f), PolyID %.3f to %.3f", epoch+1, x.name, mid, ours[0], ours[seeds-1], lo, hi)
			if mid < lo-margin || mid > hi+margin {
				t.Errorf("epoch %d: the median %s is %.3f, PolyID's five lie between %.3f and %.3f", epoch+1, x.name, mid, lo, hi)
			}
		}
	}
}

func curve(h []train.Epoch) (s string) {
	for _, e := range h {
		s += fmt.Sprintf("%.3f ", math.Round(float64(e.ValLoss)*1000)/1000)
	}
	return s
}
