package redisjobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// Allowance is what a token may have of the workers.
type Allowance struct {
	Folds  int     // at once; 0 is no limit
	Weight float64 // its share, relative to others'; 0 is 1
}

// Others is the name of the allowance of all tokens that have none of their own.
const Others = "*"

// Allow states what tokens may have, by name, in place of what was stated before.
// It is to be repeated, since Redis may be emptied: until it is, nobody is limited.
func (q *Queue) Allow(ctx context.Context, of map[string]Allowance) error {
	limited := slices.ContainsFunc(slices.Collect(maps.Values(of)), func(a Allowance) bool { return a.Folds > 0 })
	for _, kind := range []jobs.Kind{jobs.Prepare, jobs.TrainFold, jobs.Screen} {
		at := dealerPrefix(queueOf(kind))
		_, err := q.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Del(ctx, at+"limits", at+"weights")
			for token, a := range of {
				if limited && kind == jobs.TrainFold { // or else the scripts need not look at each token
					p.HSet(ctx, at+"limits", token, a.Folds)
				}
				p.HSet(ctx, at+"weights", token, strconv.FormatFloat(a.Weight, 'g', -1, 64))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("state what tokens may use: %w", err)
		}
	}
	return nil
}
