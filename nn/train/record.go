package train

// Step is what one step measured.
type Step struct {
	Epoch        int     // from 1
	Step, Steps  int     // from 1, of the epoch
	Loss         float64 // of its batch, before the update
	MeanLoss     float64 // over the epoch's rows so far
	LearningRate float64
}

// Start is where a training begins or goes on.
type Start struct {
	Epoch, Step int // finished epochs, and steps done of the next
	Path        string
	Device      string // that the engine is on, see nn.Placed; "" if it does not say
	// WasPath is the kernel path the training was on before, when it was another
	// one: from here on it equals an unbroken training within float noise only.
	WasPath string
	LeftOut int // training and validation rows without any finite target
}

// Recorder is told what a training measures, on the goroutine of Fit. It must
// not modify any data, and should be quick.
type Recorder interface {
	Start(Start)
	Step(Step)
	Epoch(Epoch)
}

// discard is the Recorder of a training nobody watches.
type discard struct{}

func (discard) Start(Start) {}
func (discard) Step(Step)   {}
func (discard) Epoch(Epoch) {}
