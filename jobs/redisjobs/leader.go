package redisjobs

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// campaign makes a process the leader if there is none, and lets the leader stay.
var campaign = redis.NewScript(`
local leader = redis.call("GET", KEYS[1])
if leader and leader ~= ARGV[1] then
	return 0
end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`)

// Lead reports whether the process named who is the leader, of all processes on
// this Redis, in doing what need be done by one only. It stays the leader while it
// asks again within the term, by Redis's clock; it is to ask more often than that.
// When Redis is emptied there may be two for as long as a term.
func Lead(ctx context.Context, r redis.UniversalClient, what, who string, term time.Duration) (bool, error) {
	led, err := campaign.Run(ctx, r, []string{leaderKey(what)}, who, term.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("ask who leads to %s: %w", what, err)
	}
	return led == 1, nil
}
