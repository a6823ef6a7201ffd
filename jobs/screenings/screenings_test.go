package screenings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
)

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// queue counts the tasks that are enqueued, by ID.
type queue struct {
	mu    sync.Mutex
	tasks map[string]int
}

func (q *queue) Enqueue(_ context.Context, t jobs.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tasks == nil {
		q.tasks = map[string]int{}
	}
	q.tasks[t.ID()]++
	return nil
}

func create(t *testing.T, s *Store, rows int64, spec Spec) *Screening {
	t.Helper()
	x, err := New(time.Now(), "anna", spec, Model{Repo: "polyid/x", Commit: "c", Targets: []Target{{"Tg", "°C"}}}, Source{Count: rows, Header: []string{"smiles_repeat_unit"}, Numeric: []bool{false}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	return x
}

func holder() *lease.Holder {
	return lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler))
}

func claim(t *testing.T, s *Store, id, worker string) *Block {
	t.Helper()
	b, err := s.Claim(t.Context(), id, holder(), worker, "avx512")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// view shows a screening, and checks that no shard is missing or counted twice.
func view(t *testing.T, s *Store, id string) View {
	t.Helper()
	x, l, err := s.State(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := s.Claims(t.Context(), id, l)
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]int, l.Shards)
	mark := func(from, to int) {
		for i := from; i < to; i++ {
			seen[i]++
		}
	}
	mark(l.Next, l.Shards)
	open := 0
	for _, r := range l.Left {
		mark(r.From, r.To)
		open += r.To - r.From
	}
	for _, o := range l.Open {
		mark(o.From, o.To)
		open += o.To - o.From
	}
	once := 0
	for i, n := range seen {
		if n > 1 {
			t.Fatalf("shard %d is in %d places: %+v", i, n, l)
		}
		once += n
	}
	if once > l.Shards-l.Done {
		t.Fatalf("%d shards are not done, by the ledger %d of %d are: %+v", once, l.Done, l.Shards, l)
	}
	return NewView(time.Now(), x, l, claims)
}

// Workers that come, work, leave and die at random, on storage that fails: every
// shard is done, and counted, once.
func TestWorkers(t *testing.T) {
	b := bucket(t)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(5, 6))
	faulty := &storage.Retry{First: time.Nanosecond, Tries: 20, Bucket: &storagetest.Faulty{Bucket: b, Fail: func(int, string, string) storagetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		return []storagetest.Fault{storagetest.None, storagetest.None, storagetest.None, storagetest.None, storagetest.Refused, storagetest.LostAnswer}[random.IntN(6)]
	}}}
	s := NewStore(faulty, nil)
	x := create(t, s, 200*leastShardRows, Spec{})
	x.ShardRows = leastShardRows
	if _, err := s.Update(t.Context(), x.ID, func(x *Screening) error { x.ShardRows = leastShardRows; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), keys.ScreeningLedger(x.ID)); err != nil {
		t.Fatal(err)
	}
	if err := s.createLedger(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	q := &queue{}
	for round := 0; ; round++ {
		if round > 1000 {
			t.Fatal("it does not end")
		}
		var blocks []*Block
		for w := range 1 + random.IntN(5) {
			if b := claim(t, s, x.ID, fmt.Sprintf("w%d", w)); b != nil {
				blocks = append(blocks, b)
			}
		}
		if len(blocks) == 0 {
			break
		}
		for _, b := range blocks {
			stop := b.Next() + random.IntN(b.To()-b.Next()+1)
			for shard := b.Next(); shard < stop; shard++ {
				if err := b.ShardDone(t.Context(), shard, Tally{Rows: leastShardRows, Failed: 1, Seconds: 0.01}); err != nil {
					t.Fatal(err)
				}
				if err := b.Renew(t.Context(), 3); err != nil {
					t.Fatal(err)
				}
			}
			switch random.IntN(4) {
			case 0: // it dies
			case 1:
				if err := b.Fail(t.Context(), errors.New("a cosmic ray")); err != nil && stop < b.To() {
					t.Fatal(err)
				}
			default:
				if err := b.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		view(t, s, x.ID)
		if err := s.TakeOver(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks { // a zombie changes nothing
			if err := b.ShardDone(t.Context(), b.Next(), Tally{Rows: 1000}); !errors.Is(err, jobs.ErrLost) {
				t.Fatalf("a worker that was taken for dead: %v, want ErrLost", err)
			}
		}
		clearWaits(t, s, x.ID)
	}
	v := view(t, s, x.ID)
	if v.Counts.Done != 4000 || v.Counts.Failed != 200 || v.Counts.Ready != 4000 {
		t.Errorf("counts %+v", v.Counts)
	}
	var rows int64
	for _, w := range v.Workers {
		rows += w.Rows
	}
	if rows != 4000 {
		t.Errorf("workers have done %d rows", rows)
	}
	now, _, err := s.State(t.Context(), x.ID)
	if err != nil || !now.Complete || now.Status != Running {
		t.Errorf("%s, complete %v, %v", now.Status, now.Complete, err)
	}
	if q.tasks[AssembleTask(now).ID()] == 0 {
		t.Errorf("nothing assembles the results: %v", q.tasks)
	}
}

func clearWaits(t *testing.T, s *Store, id string) {
	t.Helper()
	_, err := s.updateLedger(t.Context(), id, func(l *Ledger) error {
		for i := range l.Left {
			l.Left[i].Lease.Reset()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Shards that kill or fail whoever takes them end the screening, which says so, and
// can be resumed.
func TestGivesUp(t *testing.T) {
	s := NewStore(bucket(t), nil)
	for _, how := range []string{"dies", "fails"} {
		x := create(t, s, 100, Spec{})
		for n := 0; ; n++ {
			b := claim(t, s, x.ID, "w")
			if b == nil || n > 20 {
				t.Fatalf("%s: after %d workers it goes on", how, n)
			}
			var err error
			if how == "dies" {
				err = s.TakeOver(t.Context(), &queue{})
			} else {
				err = b.Fail(t.Context(), errors.New("a bad disk"))
			}
			if err != nil {
				t.Fatal(err)
			}
			now, err := s.Screening(t.Context(), x.ID)
			if err != nil {
				t.Fatal(err)
			}
			if now.Status == Failed {
				if !strings.Contains(now.Failure.Detail, "resume the screening") {
					t.Errorf("%s: %s", how, now.Failure.Detail)
				}
				break
			}
			_, err = s.updateLedger(t.Context(), x.ID, func(l *Ledger) error {
				for i := range l.Left {
					l.Left[i].Lease.Wait = 0
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if now, err := s.Resume(t.Context(), x.ID); err != nil || now.Status != Queued {
			t.Fatalf("%s: resumed: %v", how, err)
		}
		if b := claim(t, s, x.ID, "w"); b == nil || b.Leave(t.Context()) != nil {
			t.Errorf("%s: resumed, nothing is to be claimed", how)
		}
	}
}

// Paused and cancelled, nothing is claimed, and who works is told to stop.
func TestPause(t *testing.T) {
	s := NewStore(bucket(t), nil)
	x := create(t, s, 10_000, Spec{})
	b := claim(t, s, x.ID, "w")
	if _, err := s.Update(t.Context(), x.ID, func(x *Screening) error { return x.Pause(time.Now(), "requested") }); err != nil {
		t.Fatal(err)
	}
	if err := b.Renew(t.Context(), 0); !errors.Is(err, lease.ErrStop) {
		t.Errorf("a worker of a paused screening: %v, want ErrStop", err)
	}
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b := claim(t, s, x.ID, "w"); b != nil {
		t.Error("a paused screening gives work")
	}
	if _, err := s.Resume(t.Context(), x.ID); err != nil {
		t.Fatal(err)
	}
	if b := claim(t, s, x.ID, "w"); b == nil || b.Next() != 0 {
		t.Error("a resumed screening does not go on where it was left")
	}
}

// Only workers of one kernel take part, unless any may.
func TestKernel(t *testing.T) {
	s := NewStore(bucket(t), nil)
	x := create(t, s, 10_000, Spec{})
	claim(t, s, x.ID, "w")
	if _, err := s.Claim(t.Context(), x.ID, holder(), "v", "generic"); !errors.Is(err, ErrKernel) {
		t.Errorf("another kernel: %v, want ErrKernel", err)
	}
	free := create(t, s, 10_000, Spec{AnyKernel: true})
	claim(t, s, free.ID, "w")
	if b, err := s.Claim(t.Context(), free.ID, holder(), "v", "generic"); err != nil || b == nil || b.First != "avx512" {
		t.Errorf("where any may take part: %+v, %v", b, err)
	}
}

// What it may cost is spent: it pauses, and says why.
func TestBudget(t *testing.T) {
	s := NewStore(bucket(t), nil)
	most := 0.5
	x := create(t, s, 10_000, Spec{MaxCostUSD: &most})
	b := claim(t, s, x.ID, "w")
	if err := b.ShardDone(t.Context(), 0, Tally{Rows: 156, USD: 0.6}); err != nil {
		t.Fatal(err)
	}
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b := claim(t, s, x.ID, "w"); b != nil {
		t.Error("it goes on beyond its budget")
	}
	now, err := s.Screening(t.Context(), x.ID)
	if err != nil || now.Status != Paused || now.Reason != "budget" {
		t.Errorf("%s, %s, %v", now.Status, now.Reason, err)
	}
}

// Blocks are what a minute's work is, and less towards the end.
func TestBlock(t *testing.T) {
	for _, c := range []struct {
		l    Ledger
		want int
	}{
		{Ledger{Shards: 1000}, 1},
		{Ledger{Shards: 1000, Next: 100, Done: 100, Tally: Tally{Seconds: 1000}}, 6},
		{Ledger{Shards: 1000, Next: 100, Done: 100, Tally: Tally{Seconds: 1}}, mostShards},
		{Ledger{Shards: 1000, Next: 990, Done: 900, Tally: Tally{Seconds: 9}, Open: make([]Open, 1)}, 2},
		{Ledger{Shards: 1000, Next: 999, Done: 900, Tally: Tally{Seconds: 9}, Open: make([]Open, 9)}, 1},
	} {
		if got := c.l.block(); got != c.want {
			t.Errorf("of %+v a block is %d, want %d", c.l, got, c.want)
		}
	}
}

// A screening that is over is deleted with everything under its name.
func TestDelete(t *testing.T) {
	b := bucket(t)
	s := NewStore(b, nil)
	x := create(t, s, 100, Spec{})
	if err := s.Delete(t.Context(), x.ID); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("deleting one that is queued: %v", err)
	}
	if _, err := s.Update(t.Context(), x.ID, func(x *Screening) error { return x.Cancel(time.Now()) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), x.ID); err != nil {
		t.Fatal(err)
	}
	for e, err := range b.List(t.Context(), "") {
		t.Errorf("left: %s, %v", e.Key, err)
	}
	if _, err := s.Screening(t.Context(), x.ID); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("deleted, it is %v", err)
	}
}
