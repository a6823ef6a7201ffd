package file_test

import (
	"fmt"
	"strings"
	"testing"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

// BenchmarkPut is what a small object costs: among many in one directory, and in
// a directory of its own.
func BenchmarkPut(b *testing.B) {
	for shape, key := range map[string]string{"flat": "index/jobs/%d", "deep": "jobs/%d/job.json"} {
		b.Run("shape="+shape, func(b *testing.B) {
			bucket, err := file.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				if _, err := bucket.Put(b.Context(), fmt.Sprintf(key, i), strings.NewReader("x"), 1, storage.Condition{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
