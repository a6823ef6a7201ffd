package storagetest_test

import (
	"testing"

	"polyid-trainer/storage"
	"polyid-trainer/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Exercise(t, func(*testing.T) storage.Bucket { return &storagetest.Memory{} })
}
