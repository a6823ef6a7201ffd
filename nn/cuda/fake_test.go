package cuda

import (
	"fmt"
	"sync"
)

// fake is a driver that computes nothing, notes what it is asked, and fails by
// script.
type fake struct {
	info Info
	// fail is asked before each call, with what is asked for and how often that
	// has been before.
	fail func(op string, n int) error

	mu      sync.Mutex
	calls   []string
	counts  map[string]int
	streams int
	next    address
	open    int // allocations and streams
}

var _ driver = (*fake)(nil)

func newFake(fail func(op string, n int) error) *fake {
	return &fake{
		info: Info{Name: "cuda:0", Blocks: 160, Free: 1 << 30, Memory: 1 << 30},
		fail: fail, counts: map[string]int{}, next: 1 << 20,
	}
}

// on fails the n-th call of an operation, counted from 0, and all later ones.
func on(op string, n int, err error) func(string, int) error {
	return func(o string, i int) error {
		if o == op && i >= n {
			return err
		}
		return nil
	}
}

func (f *fake) call(op, detail string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.counts[op]
	f.counts[op]++
	f.calls = append(f.calls, op+detail)
	if f.fail != nil {
		return f.fail(op, n)
	}
	return nil
}

func (f *fake) describe() (Info, error) { return f.info, f.call("describe", "") }

func (f *fake) alloc(bytes int) (address, error) {
	if err := f.call("alloc", ""); err != nil {
		return 0, err
	}
	f.open++
	f.next += address(bytes)
	return f.next - address(bytes), nil
}

func (f *fake) free(address) error {
	f.open--
	return f.call("free", "")
}

func (f *fake) stream() (stream, error) {
	if err := f.call("stream", ""); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams++
	f.open++
	return &fakeStream{f, f.streams}, nil
}

func (f *fake) close() error {
	if f.open != 0 {
		return fmt.Errorf("%d allocations and streams are open", f.open)
	}
	return f.call("close", "")
}

type fakeStream struct {
	f *fake
	n int
}

func (s *fakeStream) write(_ address, src []byte) error {
	return s.f.call("write", fmt.Sprintf(" %d: %d bytes", s.n, len(src)))
}

func (s *fakeStream) zero(_ address, bytes int) error {
	return s.f.call("zero", fmt.Sprintf(" %d: %d bytes", s.n, bytes))
}

func (s *fakeStream) launch(blocks int, a *arguments) error {
	return s.f.call("launch", fmt.Sprintf(" %d: %d phases on %d blocks", s.n, a.Last-a.First, blocks))
}

func (s *fakeStream) read(dst []byte, _ address) error {
	clear(dst)
	return s.f.call("read", fmt.Sprintf(" %d: %d bytes", s.n, len(dst)))
}

func (s *fakeStream) close() error {
	s.f.mu.Lock()
	s.f.open--
	s.f.mu.Unlock()
	return s.f.call("close stream", "")
}
