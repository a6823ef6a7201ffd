package redisjobs

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Turn reports whether the caller is the one of all processes to do something
// that need be done only once every so often. When Redis is emptied, somebody
// may do it sooner.
func Turn(ctx context.Context, r redis.UniversalClient, what string, every time.Duration) (bool, error) {
	mine, err := r.SetNX(ctx, turnKey(what), 1, every).Result()
	if err != nil {
		return false, fmt.Errorf("take turns to %s: %w", what, err)
	}
	return mine, nil
}
