package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"runtime"
	"strconv"
	"strings"

	"polyid-trainer/jobs/quota"
	"polyid-trainer/jobs/tokens"
	"polyid-trainer/storage/hub"
	"polyid-trainer/worker/memory"
)

// Config says what the process uses and serves. Its zero value is everything
// embedded, on loopback. The setting tags name the environment variables, which
// are also the flags' names.
type Config struct {
	Host string `setting:"HOST" placeholder:"ADDRESS" help:"Address to listen on (127.0.0.1). Anything but loopback needs API_TOKENS."`
	Port string `setting:"PORT" placeholder:"N" help:"Port to listen on (8080); 0 takes a free one."`

	DataDir    string `setting:"DATA_DIR" placeholder:"DIR" help:"Where everything embedded keeps its data (./var). One process uses it at a time."`
	RedisURL   string `setting:"REDIS_URL" placeholder:"URL" help:"Redis of a cluster: redis://, rediss://, redis-sentinel:// or redis-cluster://. Without, a Redis and a worker run inside this process. Put a URL that holds a password into the environment."`
	StorageURL string `setting:"STORAGE_URL" placeholder:"URL" help:"Object storage: file:///dir or s3://bucket/prefix with the usual AWS_* variables (the directory objects in DATA_DIR)."`

	HFEndpoint string   `setting:"HF_ENDPOINT" placeholder:"URL" help:"A Hub that speaks the Hugging Face protocol. Without, one is embedded and served under /hub."`
	HubRepo    string   `setting:"HUB_REPO" placeholder:"OWNER/NAME" help:"Repository that jobs publish to and predictions load from (polyid/polyid-models)."`
	HubAllow   []string `setting:"HUB_ALLOW" placeholder:"GLOB" help:"Repositories that jobs may publish to (all on the embedded Hub, HUB_REPO elsewhere)."`

	WebhookAllowPrivate bool `setting:"WEBHOOK_ALLOW_PRIVATE" help:"Deliver webhooks to private and loopback addresses too."`

	Role Role `setting:"ROLE" placeholder:"ROLE" help:"all, jobs (no inference) or inference (predictions from the Hub, with neither Redis nor worker)."`

	Device            string  `setting:"DEVICE" placeholder:"DEVICE" help:"What the worker inside this process trains on (cpu)."`
	CheckpointSeconds float64 `setting:"CHECKPOINT_SECONDS" placeholder:"N" help:"The longest time a fold trains between checkpoints (60)."`
	Concurrency       int     `setting:"CONCURRENCY" placeholder:"N" help:"Folds that the worker inside this process trains at once (its cores)."`
	CostPerHour       float64 `setting:"COST_PER_HOUR" placeholder:"USD" help:"What an hour of one worker process costs (0)."`

	MemoryLimit string `setting:"MEMORY_LIMIT" placeholder:"SIZE" help:"Memory that this process may use, such as 8GB; what cannot fit is refused (0.8 of the least of the machine's memory and the limits set on the process)."`

	Quotas string `setting:"QUOTAS" placeholder:"LIST" help:"What each token may use: alice:folds=4,usd=50,storage=20GB,weight=3;*:folds=2,weight=1 for folds at once, USD a month, stored bytes and its share when folds compete (no limits)."`

	QueuesWritable bool `setting:"QUEUES_WRITABLE" help:"Let the dashboard under /queues run, archive and delete tasks."`

	Limits `embed:"" group:"limits"`

	Secrets `kong:"-"`
}

// Secrets come from the environment alone: flags show in process lists.
type Secrets struct {
	HFToken       string
	APITokens     []tokens.Stated // none: whoever reaches the server may use it
	WebhookSecret string          // "whsec_…"; made and stored on first start if empty
}

// Role says what part of the service a process is.
type Role string

// The roles.
const (
	RoleAll       Role = "all"
	RoleJobs      Role = "jobs"
	RoleInference Role = "inference"
)

// ReadSecrets reads the secrets from environment variables.
func ReadSecrets(getenv func(string) string) (s Secrets, err error) {
	s = Secrets{HFToken: getenv("HF_TOKEN"), WebhookSecret: getenv("WEBHOOK_SECRET")}
	s.APITokens, err = tokens.Parse(getenv("API_TOKENS"))
	if err != nil {
		return Secrets{}, err
	}
	return s, nil
}

// WithDefaults fills what is empty.
func (c Config) WithDefaults() Config {
	fill := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	fill(&c.Host, "127.0.0.1")
	fill(&c.Port, "8080")
	fill(&c.DataDir, "var")
	fill(&c.HubRepo, "polyid/polyid-models")
	fill((*string)(&c.Role), string(RoleAll))
	fill(&c.Device, "cpu")
	if len(c.HubAllow) == 0 {
		c.HubAllow = []string{"*/*"}
		if c.HFEndpoint != "" {
			c.HubAllow = []string{c.HubRepo}
		}
	}
	if c.CheckpointSeconds == 0 {
		c.CheckpointSeconds = 60
	}
	if c.Concurrency == 0 {
		c.Concurrency = runtime.NumCPU()
	}
	return c
}

// Check reports everything that is wrong with a Config once it has its
// defaults, each with what to do about it. It is not named Validate because the
// command line would call that before the secrets are read.
func (c Config) Check() error {
	c = c.WithDefaults()
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if n, err := strconv.Atoi(c.Port); err != nil || n < 0 || n > 65535 {
		wrong("PORT: %q is no port: want 0 to 65535", c.Port)
	}
	if len(c.APITokens) == 0 && !loopback(c.Host) {
		wrong("HOST: %s is not loopback, and without API_TOKENS anybody who reaches it could use the service: "+
			"set API_TOKENS to name:token (a token from `openssl rand -hex 32`), or leave HOST at 127.0.0.1", c.Host)
	}
	switch c.Role {
	case RoleAll, RoleJobs, RoleInference:
	default:
		wrong("ROLE: %q is none of all, jobs, inference", c.Role)
	}
	if c.StorageURL != "" {
		u, err := url.Parse(c.StorageURL)
		if err != nil || u.Scheme != "file" && u.Scheme != "s3" {
			wrong("STORAGE_URL: want file:///directory or s3://bucket/prefix")
		} else if u.User != nil {
			wrong("STORAGE_URL: holds credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead")
		}
	}
	if c.RedisURL != "" && !strings.Contains(c.RedisURL, "://") {
		wrong("REDIS_URL: want a URL such as redis://localhost:6379")
	}
	if c.onS3() && c.WebhookSecret == "" && c.Role != RoleInference {
		wrong("WEBHOOK_SECRET: is required with STORAGE_URL on S3, since every replica must sign alike: " +
			"make one with `echo whsec_$(openssl rand -base64 32)`")
	}
	if c.WebhookSecret != "" {
		if err := checkWebhookSecret(c.WebhookSecret); err != nil {
			wrong("WEBHOOK_SECRET: %w", err)
		}
	}
	if _, err := hub.New(hub.Config{Endpoint: c.HFEndpoint, CacheDir: "unused"}); err != nil {
		wrong("HF_ENDPOINT: %w", err)
	}
	if err := hub.CheckRepo(c.HubRepo); err != nil {
		wrong("HUB_REPO: %w", err)
	}
	for _, glob := range c.HubAllow {
		if _, err := path.Match(glob, ""); err != nil {
			wrong("HUB_ALLOW: %q is no pattern such as polyid/*", glob)
		}
	}
	if c.Device != "cpu" {
		wrong("DEVICE: the worker inside api trains on the cpu: for %s run go run -tags gpu ./worker beside it, with REDIS_URL and STORAGE_URL", c.Device)
	}
	if !(c.CheckpointSeconds > 0 && c.CheckpointSeconds <= 3600) {
		wrong("CHECKPOINT_SECONDS: %v is not above 0 and at most 3600", c.CheckpointSeconds)
	}
	if c.Concurrency < 1 || c.Concurrency > 1024 {
		wrong("CONCURRENCY: %d is not between 1 and 1024", c.Concurrency)
	}
	if !(c.CostPerHour >= 0 && c.CostPerHour <= 1e6) {
		wrong("COST_PER_HOUR: %v is not between 0 and a million", c.CostPerHour)
	}
	c.Limits.problems(wrong)
	if _, err := memory.Parse(c.MemoryLimit); err != nil {
		wrong("MEMORY_LIMIT: %w", err)
	}
	if _, err := quota.Parse(c.Quotas); err != nil {
		wrong("QUOTAS: %w", err)
	}
	return errors.Join(errs...)
}

// embeddedRedis reports whether the queue, and with it the worker, is inside
// this process.
func (c Config) embeddedRedis() bool { return c.RedisURL == "" && c.Role != RoleInference }

// embeddedHub reports whether this process serves the Hub it uses.
func (c Config) embeddedHub() bool { return c.HFEndpoint == "" }

func (c Config) onS3() bool { return strings.HasPrefix(c.StorageURL, "s3:") }

// loopback reports whether only this machine reaches host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// address is what net.Listen takes.
func (c Config) address() string { return net.JoinHostPort(strings.Trim(c.Host, "[]"), c.Port) }
