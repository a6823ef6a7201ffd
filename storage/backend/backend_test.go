package backend_test

import (
	"path/filepath"
	"testing"

	"polyid-trainer/storage/backend"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/s3"
)

func TestOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, url := range []string{"file://" + filepath.ToSlash(t.TempDir()), "file://var/objects"} {
		b, err := backend.Open(t.Context(), url)
		if _, ok := b.(*file.Bucket); !ok || err != nil {
			t.Errorf("Open(%s) = %T, %v", url, b, err)
		}
	}
	b, err := backend.Open(t.Context(), "s3://bucket/prefix")
	if _, ok := b.(*s3.Bucket); !ok || err != nil {
		t.Errorf("Open(s3) = %T, %v", b, err)
	}
	for _, url := range []string{"", "var/objects", "file://", "s3://", "gs://bucket", "%"} {
		if _, err := backend.Open(t.Context(), url); err == nil {
			t.Errorf("Open(%q) succeeded", url)
		}
	}
}
