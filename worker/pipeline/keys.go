package pipeline

import "fmt"

// The keys of artifacts. Each is written once: the attempt and the step make
// those of two workers differ, so that not even a zombie can overwrite one.

func checkpointKey(job string, fold, attempt, epoch, step int) string {
	return fmt.Sprintf("jobs/%s/folds/%d/checkpoints/%04d-%06d-%06d.safetensors", job, fold, attempt, epoch, step)
}

func modelKey(job string, fold, attempt int) string {
	return fmt.Sprintf("jobs/%s/folds/%d/models/%04d.safetensors", job, fold, attempt)
}
