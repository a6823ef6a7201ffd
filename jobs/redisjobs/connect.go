package redisjobs

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Connect makes a client for a Redis URL. It does not dial: Redis may come later.
//
//	redis://[user:password@]host:6379/0          one server; rediss:// with TLS
//	unix://path/to/socket                        one server on this machine
//	redis-sentinel://host:26379,host2:26379/0?master_name=mymaster
//	redis-cluster://host:6379,host2:6379
//
// The query may set go-redis' options in snake case, such as dial_timeout=3s.
func Connect(rawURL string) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return nil, fmt.Errorf("connect to Redis: %s is no URL such as redis://localhost:6379", redact(rawURL))
	}
	var err error
	switch scheme {
	case "redis", "rediss", "unix":
		var o *redis.Options
		if o, err = redis.ParseURL(rawURL); err == nil {
			o.ContextTimeoutEnabled = true
			return redis.NewClient(o), nil
		}
	case "redis-sentinel":
		var o *redis.FailoverOptions
		if o, err = redis.ParseFailoverURL(severalHosts(rest)); err == nil {
			if o.MasterName == "" {
				return nil, fmt.Errorf("connect to Redis: %s lacks ?master_name=", redact(rawURL))
			}
			o.ContextTimeoutEnabled = true
			return redis.NewFailoverClient(o), nil
		}
	case "redis-cluster":
		var o *redis.ClusterOptions
		if o, err = redis.ParseClusterURL(severalHosts(rest)); err == nil {
			o.ContextTimeoutEnabled = true
			return redis.NewClusterClient(o), nil
		}
	default:
		return nil, fmt.Errorf("connect to Redis: %s:// is none of redis, rediss, unix, redis-sentinel, redis-cluster", scheme)
	}
	// The parsers' errors may quote the URL, password and all.
	return nil, fmt.Errorf("connect to Redis: %s cannot be read: check host, port and options", redact(rawURL))
}

// severalHosts writes "user@a:1,b:2/0?x=y" as go-redis' parsers want it: further
// hosts as addr parameters.
func severalHosts(rest string) string {
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	first, more, _ := strings.Cut(hosts, ",")
	var b strings.Builder
	fmt.Fprintf(&b, "redis://%s/%s?%s", first, path, query)
	for host := range strings.SplitSeq(more, ",") {
		if host != "" {
			fmt.Fprintf(&b, "&addr=%s", url.QueryEscape(host))
		}
	}
	return b.String()
}

// redact leaves a URL's scheme and hosts.
func redact(rawURL string) string {
	rawURL, _, _ = strings.Cut(rawURL, "?")
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return "the address"
	}
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + "://" + rest
}
