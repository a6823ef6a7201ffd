package keys

// Schedule is the record of a schedule.
func Schedule(id string) string { return Schedules + id + ".json" }
