package jobs_test

import (
	"fmt"
	"log"
	"strings"
	"time"

	"polyid-trainer/jobs"
)

// A request says what differs from PolyID's published settings; what is wrong
// with it is listed by JSON pointer.
func ExampleReadSpec() {
	spec, err := jobs.ReadSpec(strings.NewReader(`{"dataset": "stereopolymer_input_nopush", "epochs": 100, "kfolds": 500}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(spec.Epochs, spec.BatchSize, spec.Model.NumMessages)
	for _, p := range spec.Problems() {
		fmt.Println(p.Pointer, p.Detail)
	}
	// Output:
	// 100 1 12
	// /kfolds 500 is not between 2 and 20
}

// What the queue should hold for a job follows from its record alone.
func ExampleNeeded() {
	spec, err := jobs.ReadSpec(strings.NewReader(`{"dataset": "stereopolymer_input_nopush"}`))
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now()
	job, err := jobs.New(now, "alice", spec)
	if err != nil {
		log.Fatal(err)
	}
	for _, task := range jobs.Needed(now, job, nil) {
		fmt.Println(task.Kind, task.Job == job.ID)
	}
	// Output: prepare true
}
