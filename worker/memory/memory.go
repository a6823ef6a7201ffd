// Package memory says how much memory this process may use, and shares it among
// pieces of work that state beforehand what they need.
package memory

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"
	"golang.org/x/sync/semaphore"
)

// share is the part of the least limit that is used unless MEMORY_LIMIT says
// otherwise. The rest is for what no estimate sees: the garbage collector's
// head room, stacks, files that the kernel caches.
const share = 0.8

// Default returns what this process may use, in bytes: 0.8 of the least of the
// machine's memory, the cgroup's limit, and the limit of its address space less
// what it maps now. It is to be called while the process is still idle.
func Default() int64 {
	least := uint64(math.MaxInt64)
	for _, limit := range []func() (uint64, error){memlimit.FromSystem, memlimit.FromCgroup, addressSpace} {
		if n, err := limit(); err == nil && n > 0 { // an error means that there is no such limit
			least = min(least, n)
		}
	}
	return int64(share * float64(least))
}

// Parse reads a setting such as "8GB", "512 MiB" or "8000000000"; "" is
// [Default].
func Parse(setting string) (int64, error) {
	if strings.TrimSpace(setting) == "" {
		return Default(), nil
	}
	n, err := humanize.ParseBytes(setting)
	if err != nil || n < least || n > math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size of at least %s: write it like 8GB", setting, Format(least))
	}
	return int64(n), nil
}

const least = 64 << 20 // bytes; the program itself needs about as much

// Format writes a number of bytes for people.
func Format(bytes int64) string { return humanize.Bytes(uint64(max(0, bytes))) }

// Budget shares so many bytes. The zero value has no limit.
type Budget struct {
	limit int64
	free  *semaphore.Weighted
	used  atomic.Int64
}

// NewBudget returns a budget of limit bytes; 0 is no limit.
func NewBudget(limit int64) *Budget {
	if limit <= 0 {
		return &Budget{}
	}
	return &Budget{limit: limit, free: semaphore.NewWeighted(limit)}
}

// Limit is the whole budget in bytes, 0 if there is no limit.
func (b *Budget) Limit() int64 { return b.limit }

// Free is what of the budget nobody has, in bytes; 0 if there is no limit.
func (b *Budget) Free() int64 { return b.limit - b.used.Load() }

// taken is the release of bytes that were acquired.
func (b *Budget) taken(bytes int64) (release func()) {
	b.used.Add(bytes)
	return func() {
		b.used.Add(-bytes)
		b.free.Release(bytes)
	}
}

// Fits reports whether work of so many bytes can be done at all.
func (b *Budget) Fits(bytes int64) bool { return b.limit == 0 || bytes <= b.limit }

// Acquire waits until so many bytes are free and takes them. Work that does not
// fit at all takes the whole budget, so that it is alone. The error is that of
// ctx.
func (b *Budget) Acquire(ctx context.Context, bytes int64) (release func(), err error) {
	if b.limit == 0 {
		return func() {}, nil
	}
	bytes = min(max(bytes, 0), b.limit)
	if err := b.free.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	return b.taken(bytes), nil
}

// TryAcquire is Acquire without waiting: it reports whether the bytes are free.
func (b *Budget) TryAcquire(bytes int64) (release func(), ok bool) {
	if b.limit == 0 {
		return func() {}, true
	}
	bytes = max(bytes, 0)
	if bytes > b.limit || !b.free.TryAcquire(bytes) {
		return nil, false
	}
	return b.taken(bytes), true
}
