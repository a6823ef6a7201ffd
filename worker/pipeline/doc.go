// Package pipeline holds the stages of a training job, as workers run them. A
// stage writes its artifacts to object storage first and the record that names
// them second, so that what is cut short leaves nothing half done.
package pipeline
