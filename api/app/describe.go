package app

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// Fact is something that whoever starts the process wants to see.
type Fact struct{ Name, Value string }

// Facts says what the process serves and uses, and nothing secret.
func (a *App) Facts() []Fact {
	c := a.config
	facts := []Fact{{"interface", a.URL() + "/docs"}, {"data", c.DataDir}}
	add := func(name, format string, args ...any) {
		facts = append(facts, Fact{name, fmt.Sprintf(format, args...)})
	}
	switch {
	case c.Role == RoleInference:
		add("queue", "none: this process answers predictions at once")
	case a.embedded != nil:
		program := "miniredis"
		if strings.HasPrefix(a.embedded.URL(), "unix:") {
			program = "a redis-server of its own"
		}
		add("queue", "embedded, on %s; trains %d folds at once", program, c.Concurrency)
	default:
		add("queue", "%s; trains where go run ./worker joins it", hosts(c.RedisURL))
	}
	if c.StorageURL == "" {
		add("storage", "%s", filepath.Join(c.DataDir, "objects"))
	} else {
		add("storage", "%s", c.StorageURL)
	}
	where := "embedded, "
	if !c.embeddedHub() {
		where = ""
	}
	add("hub", "%s%s, models in %s", where, a.hub.Endpoint(), c.HubRepo)
	if len(c.APITokens) == 0 {
		add("access", "everyone on this machine")
	} else {
		names := make([]string, len(c.APITokens))
		for i, t := range c.APITokens {
			names[i] = t.Name
		}
		add("access", "the tokens of %s", strings.Join(names, ", "))
	}
	return facts
}

// hosts is a URL without what may be secret in it.
func hosts(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil { // several hosts with ports are no URL to the standard library
		scheme, rest, _ := strings.Cut(rawURL, "://")
		rest = rest[strings.LastIndexByte(rest, '@')+1:]
		rest, _, _ = strings.Cut(rest, "/")
		rest, _, _ = strings.Cut(rest, "?")
		return scheme + "://" + rest
	}
	return u.Scheme + "://" + u.Host
}
