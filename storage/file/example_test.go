package file_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

// Two writers of one object: the second one's condition no longer holds.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "objects")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	bucket, err := file.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	put := func(text string, cond storage.Condition) (storage.Version, error) {
		return bucket.Put(ctx, "jobs/1.json", strings.NewReader(text), int64(len(text)), cond)
	}
	first, err := put("queued", storage.IfAbsent())
	if err != nil {
		log.Fatal(err)
	}
	if _, err := put("training", storage.IfMatch(first)); err != nil {
		log.Fatal(err)
	}
	_, err = put("cancelled", storage.IfMatch(first))
	fmt.Println(errors.Is(err, storage.ErrConflict))
	// Output: true
}
