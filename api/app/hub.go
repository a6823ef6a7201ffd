package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs/access"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

const (
	hubUser      = "polyid" // in whose name the process itself publishes to its Hub
	collectEvery = 24 * time.Hour
	collectAge   = 48 * time.Hour // longer than any upload takes to its commit
)

// openHub makes the client that this process publishes and loads with, and the
// Hub itself where that is embedded.
func (a *App) openHub() (*role, error) {
	c := hub.Config{Endpoint: a.config.HFEndpoint, Token: a.config.HFToken, CacheDir: filepath.Join(a.config.DataDir, "hub-cache")}
	a.repos = &repositories{tokens: a.tokens, repo: a.config.HubRepo}
	if !a.config.embeddedHub() {
		return &role{}, a.newHubClient(c)
	}
	// The process itself is one of its Hub's users, under a token that nobody
	// else ever sees.
	c.Endpoint, c.Token = a.URL()+"/hub", rand.Text()
	config := hubserver.Config{User: hubUser, Dir: filepath.Join(a.config.DataDir, "hub"), Prefix: "/hub", MaxFile: int64(a.config.MaxHubFileMB) * mb, Log: a.log}
	if !a.tokens.None() {
		config.Tokens = []hubserver.Token{{Name: hubUser, Secret: c.Token}}
		config.Find, config.Named, config.Shared = a.repos.find, a.repos.named, a.config.HubRepo
		if a.config.HFToken != "" {
			config.Tokens = append(config.Tokens, hubserver.Token{Name: hubUser, Secret: a.config.HFToken})
		}
	}
	area := &httpapi.EmbeddedHub{}
	config.Frame, config.Login = area.Frame, httpapi.LoginPath
	config.Session = func(r *http.Request) (hubserver.Caller, bool) {
		id, _ := access.From(r.Context())
		return callerOf(id), id.Name != ""
	}
	server, err := hubserver.New(config)
	if err != nil {
		return nil, err
	}
	area.Handler, a.repos.server = server, server
	r := &role{areas: []httpapi.Area{area}}
	r.inspect("hub", func(ctx context.Context) error { return hubDamage(server.Damaged(), httpapi.Principal(ctx) != "") })
	r.serve("hub", a.every(collectEvery, "collecting the Hub", a.alone, func(ctx context.Context) error {
		c, err := server.Collect(ctx, collectAge)
		if c.Files > 0 {
			a.log.Info("the Hub let go of what nothing leads to", "files", c.Files, "bytes", c.Bytes)
		}
		return err
	}))
	// It is reached in memory: whatever guards the address from others is not in
	// the way, and publishing works before the server listens and while it stops.
	inside := newPipe()
	internal := &http.Server{Handler: server, ReadHeaderTimeout: readHeader}
	go internal.Serve(inside) // until Close; a pipe does not fail
	a.closing(internal.Close)
	c.Client = &http.Client{Transport: &http.Transport{
		DialContext: inside.dial, DisableCompression: true, IdleConnTimeout: time.Minute,
	}}
	if err := a.newHubClient(c); err != nil {
		return nil, err
	}
	return r, nil
}

// hubDamage says what of the embedded Hub is damaged, nil if nothing is.
// Repositories are named to those who may read them all.
func hubDamage(damaged []hubserver.Damage, named bool) error {
	if len(damaged) == 0 {
		return nil
	}
	const most = 3
	var what []string
	for _, d := range damaged[:min(most, len(damaged))] {
		what = append(what, fmt.Sprintf("%s of %s is damaged: %s", d.What, d.Repo, d.Problem))
	}
	if !named {
		what = nil
	}
	if more := len(damaged) - len(what); more > 0 {
		what = append(what, fmt.Sprintf("of the Hub's repositories %d things are damaged that are not named here: see `api doctor`", more))
	}
	return errors.New(strings.Join(what, "; "))
}

func (a *App) newHubClient(c hub.Config) (err error) {
	if a.hub, err = hub.New(c); err != nil {
		return fmt.Errorf("HF_ENDPOINT: %w", err)
	}
	return nil
}

// pipe is a net.Listener whose connections stay in the process.
type pipe struct {
	conns  chan net.Conn
	closed context.Context
	close  context.CancelFunc
}

func newPipe() *pipe {
	p := &pipe{conns: make(chan net.Conn)}
	p.closed, p.close = context.WithCancel(context.Background())
	return p
}

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipe) Close() error { p.close(); return nil }

// Addr implements net.Listener.
func (p *pipe) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// hubPages is where the Hub's pages are, for links.
func (a *App) hubPages() string {
	if a.config.embeddedHub() {
		return "/hub"
	}
	return strings.TrimSuffix(a.config.HFEndpoint, "/")
}
