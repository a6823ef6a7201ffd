// Package results holds the rows that a screening makes: stored as parts by the
// workers, each the rows of one shard, and put together into one file in the form
// that was asked for, which is stored as chunks of some megabytes. Nothing is held
// in memory but a few parts and a chunk, and nothing on a disk.
//
// The same rows give the same bytes.
package results
