package storage_test

import (
	"fmt"

	"polyid-trainer/storage"
)

// A key that some backend could not hold is refused by all of them.
func ExampleCheckKey() {
	fmt.Println(storage.CheckKey("jobs/tj_1/job.json"))
	fmt.Println(storage.CheckKey("jobs/../secrets"))
	// Output:
	// <nil>
	// storage key "jobs/../secrets" has a segment ".."
}
