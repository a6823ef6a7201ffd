package memory_test

import (
	"context"
	"errors"
	"testing"

	"polyid-trainer/worker/memory"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{"8GB": 8e9, "512 MiB": 512 << 20, "8000000000": 8e9, "1GiB": 1 << 30} {
		if n, err := memory.Parse(in); n != want || err != nil {
			t.Errorf("%q is %d, %v; want %d", in, n, err, want)
		}
	}
	for _, in := range []string{"much", "-1GB", "0", "1KB", "99999999999999999999"} {
		if n, err := memory.Parse(in); err == nil {
			t.Errorf("%q is read as %d", in, n)
		}
	}
	if n, err := memory.Parse(""); n <= 0 || err != nil {
		t.Errorf("the default is %d, %v", n, err)
	}
}

// Work gets what is free, waits for what is not, and more than there is only
// alone.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := memory.NewBudget(100)
	if b.Fits(101) || !b.Fits(100) {
		t.Error("what fits is not told from what does not")
	}
	release, err := b.Acquire(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.TryAcquire(50); ok {
		t.Error("50 of 40 bytes were given")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Acquire(ended, 50); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was cancelled: %v", err)
	}
	release()
	large, err := b.Acquire(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.TryAcquire(1); ok {
		t.Error("work beyond the budget is not alone")
	}
	large()
	none := memory.NewBudget(0)
	if release, ok := none.TryAcquire(1 << 60); !ok || !none.Fits(1<<60) {
		t.Error("a budget without limit refuses")
	} else {
		release()
	}
}
