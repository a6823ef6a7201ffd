// Package keys states where everything lies in object storage. It is the only
// place that builds a key, so that whoever adds an object, lists a prefix or
// deletes what belongs to a job finds all of the layout here.
//
//	jobs/<id>/created.json                    the record as it was created, for repairs
//	jobs/<id>/job.json                        the record of a training job
//	jobs/<id>/dataset.csv, holdout.csv        its own copies of the tables
//	jobs/<id>/init/model_fold_<i>/…           the models that it starts from
//	jobs/<id>/prepared.json                   the split
//	jobs/<id>/chains.ndjson.gz                the chains of the job's rows
//	jobs/<id>/folds/<i>.json                  the record of a fold
//	jobs/<id>/folds/<i>/checkpoints/…         its checkpoints
//	jobs/<id>/folds/<i>/models/<attempt>.…    its finished model
//	jobs/<id>/folds/<i>/history.json          what each epoch measured
//	jobs/<id>/folds/<i>/predictions.json      predictions of its validation rows
//	jobs/<id>/model/…                         the revision, as it is published
//	jobs/<id>/webhooks/<event>.json           webhook bodies
//	index/jobs/, index/active/, index/ended/<state>/, index/deleted/
//	                                          empty objects that list jobs
//	usage/<month>.json                        what ended jobs used
//	predictions/<id>/…, index/predictions/    predictions
//	screenings/<id>/…, index/screenings/      screenings
//	datasets/<id>/…, index/datasets/          uploaded tables
//	searches/<id>/search.json                 the record of a search
//	searches/<id>/job/…                       what each of its trials gets a copy of
//	searches/<id>/webhooks/<event>.json       webhook bodies
//	index/searches/, index/searching/         empty objects that list searches
//	datasets/<id>/library/…                   a table's rows in segments, for screenings
//	uploads/<id>/…                            parts of tables that are being uploaded
//	schedules/<id>.json                       jobs that are made again and again
//	idempotency/<hash>                        idempotency records
//	sessions/ended/<hash>                     browser sessions that have logged out
//	tokens/tokens.json                        the tokens that were issued, by their hashes
//	audit/<day>/<time>-<process>.jsonl        the audit log
//	hub/turns/<owner>--<name>.json            leases on Hub repositories
//
// Ids that come from a request are checked with jobs.ValidID before they become
// part of a key.
package keys

import (
	"fmt"
	"strings"
)

// Prefixes. The objects of an index are empty: their names are the entries.
const (
	Jobs         = "jobs/"
	JobsByAge    = "index/jobs/"    // by inverted id: newest first
	ActiveJobs   = "index/active/"  // by id
	EndedJobs    = "index/ended/"   // by state and inverted id
	DeletedJobs  = "index/deleted/" // by id
	Predictions  = "predictions/"
	OpenRequests = "index/predictions/" // predictions that have not ended, by id
	Datasets     = "datasets/"
	Contents     = "index/datasets/" // by a hash of a dataset's content and name
	Idempotency  = "idempotency/"
	Schedules    = "schedules/"
	Searches     = "searches/"
	SearchesByID = "index/searches/"
	Searching    = "index/searching/" // searches that may have something to do, by id
	// EndedSessions are browser sessions that have logged out, by a hash.
	EndedSessions = "sessions/ended/"
	// Tokens is the record of all tokens that were issued.
	Tokens = "tokens/tokens.json"
	Audit  = "audit/" // by day
)

// Search is the record of a search.
func Search(id string) string { return Searches + id + "/search.json" }

// SearchJobPrefix is the prefix of what every trial of a search gets a copy of,
// under the names that follow a job's own prefix.
func SearchJobPrefix(id string) string { return Searches + id + "/job/" }

// SearchWebhook is the body of a webhook that a search owes.
func SearchWebhook(search, webhook string) string {
	return Searches + search + "/webhooks/" + webhook + ".json"
}

// JobPrefix is the prefix of everything that belongs to a job.
func JobPrefix(job string) string { return Jobs + job + "/" }

// Job is the job's record.
func Job(job string) string { return JobPrefix(job) + "job.json" }

// Dataset is the job's table, as data.Table.WriteCSV writes it. It is stored
// before the job's record.
func Dataset(job string) string { return JobPrefix(job) + "dataset.csv" }

// Holdout is the hold-out table in the same form, if the job has a table of its
// own for that.
func Holdout(job string) string { return JobPrefix(job) + "holdout.csv" }

// InitPrefix precedes the paths of the revision that a job starts from. Only its
// models are used. Whoever creates the job copies them, since workers have no
// access to the Hub.
func InitPrefix(job string) string { return JobPrefix(job) + "init/" }

// Created is the record as it was created: what a damaged one is rebuilt from.
func Created(job string) string { return JobPrefix(job) + "created.json" }

// Chains are the chains of the job's rows, then those of the rows held out from
// another table. They are stored before the preparation.
func Chains(job string) string { return JobPrefix(job) + "chains.ndjson.gz" }

// Prepared is the job's preparation: its split.
func Prepared(job string) string { return JobPrefix(job) + "prepared.json" }

// ModelPrefix precedes the paths of the revision's files.
func ModelPrefix(job string) string { return JobPrefix(job) + "model/" }

// FoldsPrefix precedes everything that belongs to a job's folds.
func FoldsPrefix(job string) string { return JobPrefix(job) + "folds/" }

// FoldPrefix precedes the artifacts of a fold.
func FoldPrefix(job string, fold int) string { return fmt.Sprintf("%s%d/", FoldsPrefix(job), fold) }

// Fold is the record of a fold.
func Fold(job string, fold int) string { return fmt.Sprintf("%s%d.json", FoldsPrefix(job), fold) }

// History is what each epoch of a finished fold measured.
func History(job string, fold int) string {
	return fmt.Sprintf("%s%d/history.json", FoldsPrefix(job), fold)
}

// Scored is a finished fold's predictions of its validation rows.
func Scored(job string, fold int) string {
	return fmt.Sprintf("%s%d/predictions.json", FoldsPrefix(job), fold)
}

// Checkpoint is a snapshot of a fold. The attempt makes the keys of two workers
// differ, so that a worker that lost its claim overwrites nothing.
func Checkpoint(job string, fold, attempt, epoch, step int) string {
	return fmt.Sprintf("%s%d/checkpoints/%04d-%06d-%06d.safetensors", FoldsPrefix(job), fold, attempt, epoch, step)
}

// FoldModel is the finished model of one attempt at a fold.
func FoldModel(job string, fold, attempt int) string {
	return fmt.Sprintf("%s%d/models/%04d.safetensors", FoldsPrefix(job), fold, attempt)
}

// WebhookPrefix precedes the bodies of a job's webhooks.
func WebhookPrefix(job string) string { return JobPrefix(job) + "webhooks/" }

// Webhook is the body of a webhook.
func Webhook(job, webhook string) string { return WebhookPrefix(job) + webhook + ".json" }

// UsagePrefix precedes what each month used.
const UsagePrefix = "usage/"

// Usage is what the jobs that ended have used in a month, "2026-01".
func Usage(month string) string { return UsagePrefix + month + ".json" }

// Prediction is the record of a prediction.
func Prediction(id string) string { return Predictions + id + "/prediction.json" }

// PredictionRequest is the body of the request for a prediction.
func PredictionRequest(id string) string { return Predictions + id + "/request" }

// PredictionResult is the result of one attempt at a prediction; extension is
// json or csv.
func PredictionResult(id string, attempt int, extension string) string {
	return fmt.Sprintf("%s%s/results/%04d.%s", Predictions, id, attempt, extension)
}

// DatasetMeta is the description of an uploaded table.
func DatasetMeta(id string) string { return Datasets + id + "/meta.json" }

// DatasetTable is the content of an uploaded table.
func DatasetTable(id string) string { return Datasets + id + "/table.csv" }

// DatasetReport is what was found wrong with an uploaded table.
func DatasetReport(id string) string { return Datasets + id + "/report.json" }

// HubPrefix precedes the leases on repositories of the Hub.
const HubPrefix = "hub/"

// HubLease is the lease on a repository of the Hub. Its name has a word of an
// earlier version, which may run beside this one.
func HubLease(repo string) string {
	return HubPrefix + "turns/" + strings.ReplaceAll(repo, "/", "--") + ".json"
}
