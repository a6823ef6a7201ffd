// Package backend opens the storage.Bucket that a URL names.
package backend

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/s3"
)

// Open opens file:///absolute/dir, file://relative/dir or s3://bucket/prefix.
func Open(ctx context.Context, rawURL string) (storage.Bucket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	switch u.Scheme {
	case "file":
		dir := filepath.FromSlash(u.Host + u.Path)
		if dir == "" {
			return nil, fmt.Errorf("open storage: %s names no directory", rawURL)
		}
		return file.Open(dir)
	case "s3":
		return s3.Open(ctx, u)
	}
	return nil, fmt.Errorf("open storage: %q is neither file:// nor s3://", rawURL)
}
