package redisjobs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// readyIn is how long Redis may take to answer.
const readyIn = 2 * time.Second

// Ready asks Redis for an answer. An error is of code jobs.Unavailable, says in a
// sentence what is wrong, and wraps the cause.
func Ready(ctx context.Context, r redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	err := r.Ping(ctx).Err()
	if err == nil {
		return nil
	}
	return &jobs.Error{Code: jobs.Unavailable, Detail: explain(err), Err: err}
}

// Inspect asks Redis whether it will do for a queue. What it finds is an error
// like those of Ready; what Redis does not tell is taken to be right.
func Inspect(ctx context.Context, r redis.UniversalClient) error {
	if err := Ready(ctx, r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	if policy, err := r.ConfigGet(ctx, "maxmemory-policy").Result(); err == nil {
		if p := policy["maxmemory-policy"]; p != "" && p != "noeviction" {
			return unfit("Redis drops what is in it when its memory is full (maxmemory-policy %s): set maxmemory-policy to noeviction", p)
		}
	}
	// A write shows what a replica, or a user who may only read, does not allow.
	if err := r.Set(ctx, prefix+"ready", 1, time.Minute).Err(); err != nil {
		return &jobs.Error{Code: jobs.Unavailable, Detail: explain(err), Err: err}
	}
	return nil
}

func unfit(format string, args ...any) error {
	return &jobs.Error{Code: jobs.Unavailable, Detail: fmt.Sprintf(format, args...)}
}

// explain says in a sentence what an error of the client means.
func explain(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var dns *net.DNSError
	text := err.Error()
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("WRONGPASS", "invalid password", "invalid username-password"):
		return "Redis refuses the user or the password in REDIS_URL"
	case has("NOAUTH"):
		return "Redis asks for a password: put one into REDIS_URL, redis://:password@host:6379"
	case has("NOPERM"):
		return "the Redis user in REDIS_URL may not run every command or reach every key: it needs +@all ~* &*"
	case has("READONLY"):
		return "REDIS_URL names a replica, which takes no writes: name the primary, or use redis-sentinel://"
	case has("LOADING"):
		return "Redis is reading its data and is ready soon"
	case has("OOM"):
		return "Redis has no memory left"
	case has("MISCONF"):
		return "Redis cannot write its data to disk and takes no writes until it can"
	case errors.As(err, &unknown), has("certificate signed by unknown authority"):
		return "the certificate of Redis is signed by an authority that this machine does not know: set SSL_CERT_FILE to a file with its certificate"
	case errors.As(err, &name):
		return "the certificate of Redis is for another host name"
	case has("first record does not look like a TLS handshake"):
		return "Redis does not speak TLS there: use redis:// in place of rediss://"
	case errors.As(err, &dns):
		return "the host name of Redis is not known"
	case has("connection refused"):
		return "nothing listens at the address of Redis"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), has("i/o timeout"):
		return "Redis accepts connections and does not answer"
	}
	return "Redis cannot be reached"
}
