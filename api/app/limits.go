package app

import (
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs/audit"
	"polyid-trainer/jobs/retention"
	"polyid-trainer/worker/predict"
)

// Limits bound what users may ask for and how long it is kept. Zero is the
// default of the package that applies it.
type Limits struct {
	MaxDatasetMB         int `setting:"MAX_DATASET_MB" placeholder:"N" help:"Largest dataset, in MB (100)."`
	MaxDatasetRows       int `setting:"MAX_DATASET_ROWS" placeholder:"N" help:"Most rows of a dataset (200,000)."`
	MaxHeavyAtoms        int `setting:"MAX_HEAVY_ATOMS" placeholder:"N" help:"Most heavy atoms of a polymer (1,200)."`
	MaxPredictionInputs  int `setting:"MAX_PREDICTION_INPUTS" placeholder:"N" help:"Most inputs of a JSON prediction (1,000)."`
	MaxPredictionMB      int `setting:"MAX_PREDICTION_MB" placeholder:"N" help:"Largest CSV of inputs, in MB (50, which is the most)."`
	MaxHubFileMB         int `setting:"MAX_HUB_FILE_MB" placeholder:"N" help:"Largest file on the embedded Hub, in MB (512)."`
	MaxRequestsPerSecond int `setting:"MAX_REQUESTS_PER_SECOND" placeholder:"N" help:"Requests a second of one token, or address without one (500)."`
	MaxRequestBurst      int `setting:"MAX_REQUEST_BURST" placeholder:"N" help:"Requests of one token at once (10,000)."`
	KeepPredictionsDays  int `setting:"KEEP_PREDICTIONS_DAYS" placeholder:"N" help:"How long predictions are kept (7)."`
	KeepCheckpointsDays  int `setting:"KEEP_CHECKPOINTS_DAYS" placeholder:"N" help:"How long checkpoints of jobs that succeeded are kept (7)."`
	KeepAuditDays        int `setting:"KEEP_AUDIT_DAYS" placeholder:"N" help:"How long the audit log is kept (365)."`
	KeepJobsDays         int `setting:"KEEP_JOBS_DAYS" placeholder:"N" help:"How long jobs that ended are kept, with all they left (365)."`
}

const mb = 1 << 20

// problems calls wrong for every limit that cannot be.
func (l Limits) problems(wrong func(format string, args ...any)) {
	for name, v := range map[string]int{
		"MAX_DATASET_MB": l.MaxDatasetMB, "MAX_DATASET_ROWS": l.MaxDatasetRows, "MAX_HEAVY_ATOMS": l.MaxHeavyAtoms,
		"MAX_PREDICTION_INPUTS": l.MaxPredictionInputs, "MAX_PREDICTION_MB": l.MaxPredictionMB, "MAX_HUB_FILE_MB": l.MaxHubFileMB,
		"MAX_REQUESTS_PER_SECOND": l.MaxRequestsPerSecond, "MAX_REQUEST_BURST": l.MaxRequestBurst,
		"KEEP_PREDICTIONS_DAYS": l.KeepPredictionsDays, "KEEP_CHECKPOINTS_DAYS": l.KeepCheckpointsDays, "KEEP_JOBS_DAYS": l.KeepJobsDays, "KEEP_AUDIT_DAYS": l.KeepAuditDays,
	} {
		if v < 0 || v > 1e6 {
			wrong("%s: %d is not between 1 and a million", name, v)
		}
	}
	if l.MaxPredictionMB > predict.MaxCSV/mb {
		wrong("MAX_PREDICTION_MB: %d is more than %d", l.MaxPredictionMB, predict.MaxCSV/mb)
	}
}

func (l Limits) datasets() datasets.Limits {
	return datasets.Limits{Bytes: int64(l.MaxDatasetMB) * mb, Rows: l.MaxDatasetRows, HeavyAtoms: l.MaxHeavyAtoms}
}

func (l Limits) http() httpapi.Limits {
	return httpapi.Limits{Dataset: int64(l.MaxDatasetMB) * mb, Prediction: int64(l.MaxPredictionMB) * mb, Inputs: l.MaxPredictionInputs,
		Rate: float64(l.MaxRequestsPerSecond), Burst: l.MaxRequestBurst}
}

// audit is how long the audit log is kept.
func (l Limits) audit() time.Duration {
	if l.KeepAuditDays == 0 {
		return audit.Kept
	}
	return time.Duration(l.KeepAuditDays) * 24 * time.Hour
}

func (l Limits) policy() retention.Policy {
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	return retention.Policy{Checkpoints: days(l.KeepCheckpointsDays), Records: days(l.KeepJobsDays), Predictions: days(l.KeepPredictionsDays)}
}
