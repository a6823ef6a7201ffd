package redisjobs

import "strconv"

// prefix begins every key that is not asynq's.
const prefix = "polyid:"

// The {job} tag keeps all keys of a job in one slot of a cluster, so that a heartbeat
// is one round trip.

func progressKey(job string, fold int) string {
	return prefix + "{" + job + "}:progress:" + strconv.Itoa(fold)
}

func controlKey(job string) string { return prefix + "{" + job + "}:control" }

func leaderKey(what string) string { return prefix + "leader:" + what }

// updatesChannel is no key, but is named like one.
func updatesChannel(job string) string { return prefix + "{" + job + "}:updates" }

// leaseKey is asynq's: the tasks of a queue that are worked on, scored by the
// Unix time at which they count as lost.
func leaseKey(queue string) string { return "asynq:{" + queue + "}:lease" }

// activeKey is asynq's: the tasks of a queue that are worked on.
func activeKey(queue string) string { return "asynq:{" + queue + "}:active" }

// taskKey is asynq's: a task's message.
func taskKey(queue, id string) string { return "asynq:{" + queue + "}:t:" + id }
