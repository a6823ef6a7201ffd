package pipeline

import (
	"fmt"
	"strings"
)

// The keys of artifacts. Each is written once: the attempt and the step make
// those of two workers differ, so that not even a zombie can overwrite one.

// DatasetKey is the job's table, as data.Table.WriteCSV writes it. It is there
// before the job's record.
func DatasetKey(job string) string { return "jobs/" + job + "/dataset.csv" }

// HoldoutKey is the hold-out table, in the same form, if that is another one.
func HoldoutKey(job string) string { return "jobs/" + job + "/holdout.csv" }

// InitPrefix is what the paths of the revision follow that a job starts from, if
// it starts from one. Only its models are looked at. Whoever makes the job puts
// them there, because workers know no Hub.
func InitPrefix(job string) string { return "jobs/" + job + "/init/" }

// PreparedKey is the Preparation.
func PreparedKey(job string) string { return "jobs/" + job + "/prepared.json" }

// ChainsKey is the chains of the job's rows, and of those held out from another
// table behind them; it is there before the Preparation.
func ChainsKey(job string) string { return "jobs/" + job + "/chains.ndjson.gz" }

// ModelPrefix is what the paths of the revision's files follow.
func ModelPrefix(job string) string { return "jobs/" + job + "/model/" }

// HistoryKey is a finished fold's []train.Epoch.
func HistoryKey(job string, fold int) string {
	return fmt.Sprintf("jobs/%s/folds/%d/history.json", job, fold)
}

// ScoredKey is a finished fold's Scored.
func ScoredKey(job string, fold int) string {
	return fmt.Sprintf("jobs/%s/folds/%d/predictions.json", job, fold)
}

func checkpointKey(job string, fold, attempt, epoch, step int) string {
	return fmt.Sprintf("jobs/%s/folds/%d/checkpoints/%04d-%06d-%06d.safetensors", job, fold, attempt, epoch, step)
}

func modelKey(job string, fold, attempt int) string {
	return fmt.Sprintf("jobs/%s/folds/%d/models/%04d.safetensors", job, fold, attempt)
}

// datasetName shows which datasets a table was joined of.
func datasetName(names []string) string { return strings.Join(names, "+") }
