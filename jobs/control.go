package jobs

// Control is what a job's running folds are told to do between checkpoints. It
// is only a call to look at the record, which alone decides.
type Control string

// The control words.
const (
	Continue Control = ""
	Pause    Control = "pause"
	Cancel   Control = "cancel"
)
