package records

import (
	"context"

	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// errSame is returned by a change that leaves the record as it is.
var errSame = record.ErrSame

func create[T any](ctx context.Context, b storage.Bucket, key string, r *T) error {
	return record.Create(ctx, b, key, r)
}

func load[T any](ctx context.Context, b storage.Bucket, key string) (*record.Envelope[T], storage.Version, error) {
	return record.Load[T](ctx, b, key)
}

func update[T any](ctx context.Context, b storage.Bucket, key string, change func(*T) error) (*T, error) {
	return record.Update(ctx, b, key, change)
}
