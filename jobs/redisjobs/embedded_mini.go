package redisjobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// saveEvery is how often a miniredis is written to disk, like a server's AOF.
const saveEvery = time.Second

// startMini runs a miniredis on a loopback port, behind a password since others
// on this machine can reach that.
func startMini(ctx context.Context, dir string, log *slog.Logger) (url string, end func() error, err error) {
	m, password := miniredis.NewMiniRedis(), rand.Text()
	m.RequireAuth(password)
	m.ClockTTL(true)
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return "", nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: m.Addr(), Password: password})
	file := &snapshotFile{path: filepath.Join(dir, "snapshot"), redis: client}
	if err := file.restore(ctx, time.Now()); err != nil {
		err = errors.Join(err, client.Close())
		m.Close()
		return "", nil, err
	}
	stop := make(chan struct{})
	var saving sync.WaitGroup
	saving.Go(func() {
		tick := time.NewTicker(saveEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if err := file.save(context.Background(), time.Now()); err != nil {
					log.Error("the embedded Redis is not on disk", "error", err)
				}
			}
		}
	})
	end = func() error {
		close(stop)
		saving.Wait()
		err := file.save(context.Background(), time.Now())
		err = errors.Join(err, client.Close())
		m.Close()
		return err
	}
	return fmt.Sprintf("redis://:%s@%s", password, m.Addr()), end, nil
}
