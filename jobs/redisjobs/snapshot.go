package redisjobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/storage/atomicfile"
)

// snapshotFile keeps a Redis' content in a file that is replaced as a whole.
type snapshotFile struct {
	path  string
	redis redis.UniversalClient
	last  []byte // as in the file
}

// entry is a key's content. Values are bytes: asynq's messages are no text.
type entry struct {
	Key     []byte
	Type    string    // as TYPE says
	Values  [][]byte  // list: in order; set; hash and zset: pairs; string: one
	Expires time.Time `json:",omitzero"`
}

// dumpScript reads all keys at one moment, as no two commands could, but for
// those of asynq's servers: who they belong to is dead when they are restored.
var dumpScript = redis.NewScript(`
local read = {
	string = function(k) return {redis.call('GET', k)} end,
	list = function(k) return redis.call('LRANGE', k, 0, -1) end,
	set = function(k) return redis.call('SMEMBERS', k) end,
	hash = function(k) return redis.call('HGETALL', k) end,
	zset = function(k) return redis.call('ZRANGE', k, 0, -1, 'WITHSCORES') end,
}
local entries = {}
for _, k in ipairs(redis.call('KEYS', '*')) do
	local typ = redis.call('TYPE', k)
	if type(typ) == 'table' then typ = typ.ok end
	if read[typ] and not k:find('^asynq:servers') and not k:find('^asynq:workers') then
		table.insert(entries, {k, typ, redis.call('PTTL', k), read[typ](k)})
	end
end
return entries`)

// save writes the file if the content has changed.
func (f *snapshotFile) save(ctx context.Context, now time.Time) error {
	entries, err := dump(ctx, f.redis, now)
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	raw, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if bytes.Equal(raw, f.last) {
		return nil
	}
	if err := atomicfile.Replace(f.path, 0o600, atomicfile.Bytes(raw)); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	f.last = raw
	return nil
}

// restore puts back what the file holds, if there is one, except what has
// expired. A file that cannot be read is a *damagedError.
func (f *snapshotFile) restore(ctx context.Context, now time.Time) error {
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	var entries []entry
	if err := json.Unmarshal(raw, &entries); err != nil {
		return &damagedError{f.path, err}
	}
	_, err = f.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range entries {
			if !e.Expires.IsZero() && !now.Before(e.Expires) {
				continue
			}
			if err := e.restore(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil { // what is in it, since the Redis is in this process
		return &damagedError{f.path, err}
	}
	if err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	f.last = raw
	return nil
}

// dump reads everything, in the order of the keys so that equal content looks
// equal.
func dump(ctx context.Context, r redis.UniversalClient, now time.Time) ([]entry, error) {
	rows, err := dumpScript.Run(ctx, r, nil).Slice()
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(rows))
	for i, row := range rows {
		fields, ok := row.([]any)
		if !ok || len(fields) != 4 {
			return nil, fmt.Errorf("the dump has a row %v", row)
		}
		key, _ := fields[0].(string)
		typ, _ := fields[1].(string)
		ttl, _ := fields[2].(int64)
		values, _ := fields[3].([]any)
		e := entry{Key: []byte(key), Type: typ, Values: make([][]byte, len(values))}
		for j, v := range values {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("the dump of %s has a value %v", key, v)
			}
			e.Values[j] = []byte(s)
		}
		e.sort()
		if ttl >= 0 { // in whole seconds, or no two dumps were equal
			e.Expires = now.Add(time.Duration(ttl) * time.Millisecond).Round(time.Second).UTC()
		}
		entries[i] = e
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.Key, b.Key) })
	return entries, nil
}

// sort orders what Redis keeps in no order.
func (e *entry) sort() {
	switch e.Type {
	case "set":
		slices.SortFunc(e.Values, bytes.Compare)
	case "hash":
		pairs := slices.Collect(slices.Chunk(e.Values, 2))
		slices.SortFunc(pairs, func(a, b [][]byte) int { return bytes.Compare(a[0], b[0]) })
		e.Values = slices.Concat(pairs...)
	}
}

// restore queues the commands that make the key again.
func (e *entry) restore(ctx context.Context, p redis.Pipeliner) error {
	key, args := string(e.Key), make([]any, len(e.Values))
	for i, v := range e.Values {
		args[i] = v
	}
	pairs := e.Type == "hash" || e.Type == "zset"
	if len(args) == 0 || pairs && len(args)%2 != 0 {
		return fmt.Errorf("%s %s has %d values", e.Type, key, len(args))
	}
	switch e.Type {
	case "string":
		p.Set(ctx, key, args[0], 0)
	case "list":
		p.RPush(ctx, key, args...)
	case "set":
		p.SAdd(ctx, key, args...)
	case "hash":
		p.HSet(ctx, key, args...)
	case "zset":
		for i := 0; i < len(e.Values); i += 2 {
			score, err := strconv.ParseFloat(string(e.Values[i+1]), 64)
			if err != nil {
				return fmt.Errorf("zset %s: %w", key, err)
			}
			p.ZAdd(ctx, key, redis.Z{Score: score, Member: e.Values[i]})
		}
	default:
		return fmt.Errorf("%s is of type %q", key, e.Type)
	}
	if !e.Expires.IsZero() {
		p.PExpireAt(ctx, key, e.Expires)
	}
	return nil
}
