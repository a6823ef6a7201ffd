// Package tokens knows who holds which token: those that the configuration states
// and those that admins issue while the service runs.
//
// Issued tokens lie in one record in object storage, as the SHA-256 of their
// secrets. A secret is 130 random bits, so its hash needs neither salt nor
// stretching. Every process reads the record each few seconds: a token that is
// issued or revoked at one is so at all of them within Interval.
package tokens

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

const (
	// Interval is how often Run reads what other processes have issued and revoked.
	Interval = 2 * time.Second
	// MaxIssued bounds the tokens that are good at one time.
	MaxIssued = 1000

	idPrefix     = "tok_"
	secretPrefix = "pit_" // so that scanners of source code find a secret that leaked
)

// Token is an issued token as it is stored. Its secret is not.
type Token struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Role      access.Role       `json:"role"`
	Hash      string            `json:"hash"` // SHA-256 of the secret, in hex
	Key       ed25519.PublicKey `json:"key"`  // checks the sessions that the secret signs
	CreatedAt time.Time         `json:"created_at"`
	CreatedBy string            `json:"created_by"`          // name of the admin's token
	ExpiresAt time.Time         `json:"expires_at,omitzero"` // zero is never
}

// issued is the record.
type issued struct {
	Revision int64   `json:"revision"` // counts its changes
	Tokens   []Token `json:"tokens"`
}

// Holder is who a token lets in.
type Holder struct {
	access.Identity
	// Good ends when the token is revoked or expires, and with it what its holder
	// has open.
	Good context.Context
}

// held is a token that is good now.
type held struct {
	Holder
	id      string // "" of a stated one
	hash    [sha256.Size]byte
	Key     ed25519.PublicKey
	expires time.Time
	end     context.CancelFunc
}

func (h *held) good(now time.Time) bool { return h.expires.IsZero() || now.Before(h.expires) }

// Keyring finds the holders of secrets. It is safe for concurrent use.
type Keyring struct {
	bucket storage.Bucket
	now    func() time.Time
	log    *slog.Logger
	stated []*held // of the configuration

	mu       sync.RWMutex
	tokens   []*held // all, the stated ones first
	revision int64   // of the record that was applied last
}

// New makes a keyring of stated tokens and those that are issued in b. now is nil
// for time.Now, log for none.
func New(b storage.Bucket, stated []Stated, now func() time.Time, log *slog.Logger) *Keyring {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &Keyring{bucket: b, now: now, log: log}
	for _, s := range stated {
		if s.Role == "" {
			s.Role = access.Admin
		}
		k.stated = append(k.stated, &held{
			Holder: Holder{access.Identity{Name: s.Name, Role: s.Role}, context.Background()},
			hash:   sha256.Sum256([]byte(s.Secret)), Key: signer(s.Secret).Public().(ed25519.PublicKey), end: func() {},
		})
	}
	k.tokens = slices.Clone(k.stated)
	return k
}

// None reports whether the configuration states no tokens: then whoever reaches the
// service may use it, and none can be issued.
func (k *Keyring) None() bool { return k == nil || len(k.stated) == 0 }

// Find is the holder of a secret. How long it takes says nothing about how much of a
// guess was right, nor about which token it was near.
func (k *Keyring) Find(secret string) (h Holder, ok bool) {
	guess, now := sha256.Sum256([]byte(secret)), k.now()
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, t := range k.tokens {
		if subtle.ConstantTimeCompare(guess[:], t.hash[:]) == 1 && t.good(now) {
			h, ok = t.Holder, true
		}
	}
	return h, ok
}

// Named is who holds a token of that name; ok is false if nobody does.
func (k *Keyring) Named(name string) (id access.Identity, ok bool) {
	now := k.now()
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, t := range k.tokens {
		if t.Name == name && t.good(now) {
			return t.Identity, true
		}
	}
	return access.Identity{}, false
}

// Request asks for a token.
type Request struct {
	Name    string
	Role    access.Role // "" is access.Member
	Expires time.Time   // zero is never
	By      string      // name of the admin's token
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// Issue makes a token. Its secret is returned and kept nowhere. Errors are
// jobs.Invalid with every problem, or jobs.Conflict for a name that is taken.
func (k *Keyring) Issue(ctx context.Context, r Request) (t Token, secret string, err error) {
	now := k.now().UTC()
	if r.Role == "" {
		r.Role = access.Member
	}
	var ps []jobs.Problem
	if !nameForm.MatchString(r.Name) {
		ps = append(ps, jobs.Problem{Pointer: "/name", Detail: fmt.Sprintf("%.80q is not 1 to 64 letters, digits and . _ @ -, beginning with a letter or digit", r.Name)})
	}
	if !r.Role.Valid() {
		ps = append(ps, jobs.Problem{Pointer: "/role", Detail: fmt.Sprintf("%.80q is none of admin, member, reader", r.Role)})
	}
	if !r.Expires.IsZero() && !r.Expires.After(now) {
		ps = append(ps, jobs.Problem{Pointer: "/expires_at", Detail: "is in the past"})
	}
	if len(ps) > 0 {
		return Token{}, "", &jobs.Error{Code: jobs.Invalid, Detail: "the token cannot be issued", Problems: ps}
	}
	if k.None() {
		return Token{}, "", &jobs.Error{Code: jobs.Conflict, Detail: "without API_TOKENS the service needs no tokens: state one of an admin there first"}
	}
	secret = secretPrefix + rand.Text()
	hash := sha256.Sum256([]byte(secret))
	t = Token{ID: jobs.NewID(idPrefix), Name: r.Name, Role: r.Role, Hash: hex.EncodeToString(hash[:]), Key: signer(secret).Public().(ed25519.PublicKey),
		CreatedAt: now, CreatedBy: r.By, ExpiresAt: r.Expires}
	err = k.change(ctx, func(all *issued) error {
		all.Tokens = slices.DeleteFunc(all.Tokens, func(o Token) bool { return !o.ExpiresAt.IsZero() && !now.Before(o.ExpiresAt) })
		switch {
		case k.states(r.Name) || slices.ContainsFunc(all.Tokens, func(o Token) bool { return o.Name == r.Name }):
			return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("there is a token of the name %q already: revoke it first, or choose another name", r.Name)}
		case len(all.Tokens) >= MaxIssued:
			return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("there are %d tokens already: revoke some first", MaxIssued)}
		}
		all.Tokens = append(all.Tokens, t)
		return nil
	})
	if err != nil {
		return Token{}, "", fmt.Errorf("issue token: %w", err)
	}
	return t, secret, nil
}

// states reports whether the configuration states a token of that name.
func (k *Keyring) states(name string) bool {
	return slices.ContainsFunc(k.stated, func(t *held) bool { return t.Name == name })
}

// Issued lists the issued tokens, newest first, those that have expired too until
// the next one is issued.
func (k *Keyring) Issued(ctx context.Context) ([]Token, error) {
	all, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all.Tokens)
	return all.Tokens, nil
}

// Revoke ends an issued token, by its id or name, and everything that its holder has
// open. It is jobs.NotFound if there is none, and jobs.Conflict for one of the
// configuration.
func (k *Keyring) Revoke(ctx context.Context, id string) (t Token, err error) {
	if k.states(id) {
		return Token{}, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("%q is a token of API_TOKENS: take it out there and start the service anew", id)}
	}
	missing := &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no token %.80q", id)}
	err = k.change(ctx, func(all *issued) error {
		i := slices.IndexFunc(all.Tokens, func(t Token) bool { return t.ID == id || t.Name == id })
		if i < 0 {
			return missing
		}
		t = all.Tokens[i]
		all.Tokens = slices.Delete(all.Tokens, i, i+1)
		return nil
	})
	if err != nil {
		return Token{}, fmt.Errorf("revoke token: %w", err)
	}
	return t, nil
}

// change changes the record, which it makes if there is none, and applies it here.
func (k *Keyring) change(ctx context.Context, f func(*issued) error) error {
	for {
		all, err := record.Update(ctx, k.bucket, keys.Tokens, func(all *issued) error {
			all.Revision++
			return f(all)
		})
		if errors.Is(err, storage.ErrNotExist) {
			if err = record.Create(ctx, k.bucket, keys.Tokens, &issued{Tokens: []Token{}}); err == nil || errors.Is(err, storage.ErrConflict) {
				continue
			}
		}
		if err != nil {
			return err
		}
		k.apply(all)
		return nil
	}
}

func (k *Keyring) read(ctx context.Context) (*issued, error) {
	e, _, err := record.Load[issued](ctx, k.bucket, keys.Tokens)
	if errors.Is(err, storage.ErrNotExist) {
		return &issued{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return e.Record, nil
}

// apply makes a record's tokens the issued ones that are good, unless a later record
// was applied already. What the holders of the others have open ends.
func (k *Keyring) apply(all *issued) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if all.Revision < k.revision {
		return
	}
	k.revision = all.Revision
	now := k.now()
	next := slices.Clone(k.stated)
	for _, t := range all.Tokens {
		h := &held{id: t.ID, Key: t.Key, expires: t.ExpiresAt}
		if n, err := hex.Decode(h.hash[:], []byte(t.Hash)); err != nil || n != len(h.hash) || !h.good(now) || k.states(t.Name) {
			continue // the configuration's token of that name is the one that counts
		}
		if i := slices.IndexFunc(k.tokens, func(o *held) bool { return o.id == t.ID }); i >= 0 {
			next = append(next, k.tokens[i])
			continue
		}
		h.Holder = Holder{Identity: access.Identity{Name: t.Name, Role: t.Role}}
		h.Good, h.end = context.WithCancel(context.Background())
		next = append(next, h)
	}
	for _, t := range k.tokens {
		if !slices.Contains(next, t) {
			t.end()
		}
	}
	k.tokens = next
}

// Refresh reads what other processes have issued and revoked. While it fails, what
// was known stays.
func (k *Keyring) Refresh(ctx context.Context) error {
	all, err := k.read(ctx)
	if err != nil {
		return err
	}
	k.apply(all)
	return nil
}

// Run refreshes at each Interval until ctx ends.
func (k *Keyring) Run(ctx context.Context) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for failed := false; ; {
		err := k.Refresh(ctx)
		if err != nil && ctx.Err() == nil && !failed {
			k.log.Warn("the issued tokens cannot be read; those that were known stay good", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
