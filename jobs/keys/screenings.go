package keys

import "fmt"

// Prefixes of screenings, and of uploads that are not yet datasets.
const (
	Screenings       = "screenings/"
	ScreeningsByID   = "index/screenings/all/"    // all of them
	ActiveScreenings = "index/screenings/active/" // those that are not at an end, by id
	Uploads          = "uploads/"
)

// ScreeningPrefix precedes everything that belongs to a screening.
func ScreeningPrefix(id string) string { return Screenings + id + "/" }

// Screening is the record.
func Screening(id string) string { return ScreeningPrefix(id) + "screening.json" }

// ScreeningLedger says which shards are claimed and done.
func ScreeningLedger(id string) string { return ScreeningPrefix(id) + "ledger.json" }

// ScreeningClaim is a worker's claim on some shards, while it is in force.
func ScreeningClaim(id string, n int) string {
	return fmt.Sprintf("%sclaims/%08d.json", ScreeningPrefix(id), n)
}

// ScreeningHook is the body of a webhook.
func ScreeningHook(id, webhook string) string {
	return ScreeningPrefix(id) + "webhooks/" + webhook + ".json"
}

// ScreeningModel precedes the files of the model, which whoever creates the screening
// copies there: workers have no access to the Hub.
func ScreeningModel(id string) string { return ScreeningPrefix(id) + "model/" }

// ScreeningParts precedes the parts.
func ScreeningParts(id string) string { return ScreeningPrefix(id) + "parts/" }

// ScreeningPart is the results of a shard.
func ScreeningPart(id string, shard int) string {
	return fmt.Sprintf("%s%08d", ScreeningParts(id), shard)
}

// ScreeningScratch precedes what an attempt at putting the results together stores on
// its way.
func ScreeningScratch(id string, attempt int) string {
	return fmt.Sprintf("%sscratch/%04d/", ScreeningPrefix(id), attempt)
}

// ScreeningResults precedes the results as an attempt put them together.
func ScreeningResults(id string, attempt int) string {
	return fmt.Sprintf("%sresults/%04d/", ScreeningPrefix(id), attempt)
}

// ScreeningChunk is a part of those.
func ScreeningChunk(id string, attempt, n int) string {
	return fmt.Sprintf("%s%08d", ScreeningResults(id, attempt), n)
}

// DatasetLibrary precedes a dataset's rows as package data/library stores them.
func DatasetLibrary(id string) string { return Datasets + id + "/library/" }

// Upload is the record of a table that is being uploaded.
func Upload(id string) string { return Uploads + id + "/upload.json" }

// UploadParts precedes what came of it so far.
func UploadParts(id string) string { return Uploads + id + "/parts/" }

// UploadPart is what came from an offset on.
func UploadPart(id string, offset int64) string {
	return fmt.Sprintf("%s%016d", UploadParts(id), offset)
}
