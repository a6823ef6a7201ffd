// Package screen does the work of screenings: it claims blocks of shards, predicts
// their rows with the screening's model, stores what is kept of each shard, and puts
// the results together when all shards are done.
//
// A worker has one block at a time, whose shards it computes on all the cores it may
// use. Models are read from object storage, each file checked by its hash, and the
// one used last stays loaded.
package screen
