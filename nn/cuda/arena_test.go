package cuda

import (
	"errors"
	"testing"
)

func TestArena(t *testing.T) {
	t.Parallel()
	a := arena{base: 4096, size: 10 * granule}
	take := func(n int) address {
		t.Helper()
		p, err := a.take(n)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, second, third := take(1), take(2*granule), take(3*granule)
	if first != 4096 || second != first+granule || third != second+2*granule {
		t.Errorf("%d, %d, %d overlap or leave gaps", first, second, third)
	}
	a.give(second)
	if p := take(granule); p != second {
		t.Errorf("a gap is not used: %d", p)
	}
	if p := take(4 * granule); p != third+3*granule {
		t.Errorf("a gap that is too small was used: %d", p)
	}
	if _, err := a.take(2 * granule); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("more was given than there is: %v", err)
	}
	if a.used() != 9*granule {
		t.Errorf("%d bytes are in use", a.used())
	}
}
