package storagetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"

	"polyid-trainer/storage"
)

// ErrFault is what a Faulty bucket fails with.
var ErrFault = errors.New("injected storage fault")

// Faulty is a bucket whose calls fail as Fail says.
type Faulty struct {
	storage.Bucket
	// Fail is told how many calls came before and what this one is ("put",
	// "get", "list", "delete"), and answers how it goes.
	Fail func(call int, op, key string) Fault

	mu    sync.Mutex
	calls int
}

// Fault is how a call goes.
type Fault int

// The faults.
const (
	None       Fault = iota
	Refused          // nothing happens, and the call fails
	LostAnswer       // it happens, but the call fails
)

func (f *Faulty) next(op, key string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault := f.Fail(f.calls, op, key)
	f.calls++
	return fault
}

// Put implements storage.Bucket.
func (f *Faulty) Put(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (storage.Version, error) {
	fault := f.next("put", key)
	if fault == Refused {
		return "", ErrFault
	}
	v, err := f.Bucket.Put(ctx, key, body, size, cond)
	if err == nil && fault == LostAnswer {
		return "", ErrFault
	}
	return v, err
}

// Get implements storage.Bucket.
func (f *Faulty) Get(ctx context.Context, key string) (*storage.Object, error) {
	if f.next("get", key) != None {
		return nil, ErrFault
	}
	return f.Bucket.Get(ctx, key)
}

// List implements storage.Bucket.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[storage.Entry, error] {
	if f.next("list", prefix) != None {
		return func(yield func(storage.Entry, error) bool) { yield(storage.Entry{}, ErrFault) }
	}
	return f.Bucket.List(ctx, prefix)
}

// Delete implements storage.Bucket.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	fault := f.next("delete", key)
	if fault == Refused {
		return ErrFault
	}
	err := f.Bucket.Delete(ctx, key)
	if err == nil && fault == LostAnswer {
		return ErrFault
	}
	return err
}
