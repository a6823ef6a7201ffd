package app

import (
	"os"
	"path/filepath"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/tokens"
	"strings"
	"testing"
)

const goodSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.WithDefaults()
	if err := c.Check(); err != nil {
		t.Fatalf("the zero value is refused: %v", err)
	}
	if c.address() != "127.0.0.1:8080" || c.DataDir != "var" || c.Role != RoleAll || c.HubRepo != "polyid/polyid-models" ||
		c.CheckpointSeconds != 60 || c.Concurrency < 1 || !c.embeddedRedis() || !c.embeddedHub() {
		t.Errorf("defaults are %+v", c)
	}
	if got := c.HubAllow; len(got) != 1 || got[0] != "*/*" {
		t.Errorf("on the embedded Hub, jobs may publish to %q, want everything", got)
	}
	c = Config{HFEndpoint: "https://hub.example", HubRepo: "a/b"}.WithDefaults()
	if got := c.HubAllow; len(got) != 1 || got[0] != "a/b" {
		t.Errorf("on another Hub, jobs may publish to %q, want a/b", got)
	}
}

// Each refusal names the setting and says what to do, and never shows a secret.
func TestCheck(t *testing.T) {
	t.Parallel()
	stated := []tokens.Stated{{Name: "me", Secret: "secret-token"}}
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string // none: it is fine
	}{
		"open to all":            {func(c *Config) { c.Host = "0.0.0.0" }, []string{"HOST", "API_TOKENS", "openssl rand"}},
		"open to all, by name":   {func(c *Config) { c.Host = "example.org" }, []string{"HOST", "API_TOKENS"}},
		"open, with tokens":      {func(c *Config) { c.Host, c.APITokens = "0.0.0.0", stated }, nil},
		"another loopback":       {func(c *Config) { c.Host = "127.1.2.3" }, nil},
		"localhost":              {func(c *Config) { c.Host = "localhost" }, nil},
		"IPv6 loopback":          {func(c *Config) { c.Host = "::1" }, nil},
		"IPv6 any":               {func(c *Config) { c.Host = "::" }, []string{"HOST"}},
		"port":                   {func(c *Config) { c.Port = "http" }, []string{"PORT", "http", "65535"}},
		"any port":               {func(c *Config) { c.Port = "0" }, nil},
		"role":                   {func(c *Config) { c.Role = "trainer" }, []string{"ROLE", "trainer", "inference"}},
		"storage":                {func(c *Config) { c.StorageURL = "/data" }, []string{"STORAGE_URL", "file://"}},
		"credentials in storage": {func(c *Config) { c.StorageURL = "s3://key:hush@b"; c.WebhookSecret = goodSecret }, []string{"STORAGE_URL", "AWS_"}},
		"S3 without a secret":    {func(c *Config) { c.StorageURL = "s3://b/p" }, []string{"WEBHOOK_SECRET", "replica"}},
		"S3 with one":            {func(c *Config) { c.StorageURL, c.WebhookSecret = "s3://b/p", goodSecret }, nil},
		"S3 for inference":       {func(c *Config) { c.StorageURL, c.Role = "s3://b/p", RoleInference }, nil},
		"Redis":                  {func(c *Config) { c.RedisURL = "localhost" }, []string{"REDIS_URL", "redis://"}},
		"secret without whsec_":  {func(c *Config) { c.WebhookSecret = "hush" }, []string{"WEBHOOK_SECRET", "whsec_"}},
		"secret, not base64":     {func(c *Config) { c.WebhookSecret = "whsec_hush!" }, []string{"WEBHOOK_SECRET", "base64"}},
		"short secret":           {func(c *Config) { c.WebhookSecret = "whsec_aHVzaA==" }, []string{"WEBHOOK_SECRET", "24"}},
		"Hub":                    {func(c *Config) { c.HFEndpoint = "ftp://hub" }, []string{"HF_ENDPOINT"}},
		"repository":             {func(c *Config) { c.HubRepo = "models" }, []string{"HUB_REPO", "namespace/name"}},
		"glob":                   {func(c *Config) { c.HubAllow = []string{"a/["} }, []string{"HUB_ALLOW"}},
		"device":                 {func(c *Config) { c.Device = "cuda:0" }, []string{"DEVICE", "./worker"}},
		"checkpoints":            {func(c *Config) { c.CheckpointSeconds = -1 }, []string{"CHECKPOINT_SECONDS"}},
		"concurrency":            {func(c *Config) { c.Concurrency = -1 }, []string{"CONCURRENCY"}},
		"cost":                   {func(c *Config) { c.CostPerHour = -1 }, []string{"COST_PER_HOUR"}},
		"a limit":                {func(c *Config) { c.MaxHeavyAtoms = -1 }, []string{"MAX_HEAVY_ATOMS"}},
		"too large a limit":      {func(c *Config) { c.MaxPredictionMB = 51 }, []string{"MAX_PREDICTION_MB", "50"}},
		"two at once":            {func(c *Config) { c.Port, c.Role = "x", "y" }, []string{"PORT", "ROLE"}},
	} {
		config := Config{}.WithDefaults()
		c.change(&config)
		err := config.Check()
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %q shows a secret", name, err)
		}
	}
}

func TestReadSecrets(t *testing.T) {
	t.Parallel()
	read := func(tokens string) (Secrets, error) {
		return ReadSecrets(func(name string) string {
			return map[string]string{"API_TOKENS": tokens, "HF_TOKEN": "hf_x"}[name]
		})
	}
	s, err := read("anna:0123456789abcdef, ben:with:colons-in-it,")
	if err != nil || s.HFToken != "hf_x" || len(s.APITokens) != 2 ||
		s.APITokens[0] != (tokens.Stated{Name: "anna", Secret: "0123456789abcdef", Role: access.Admin}) || s.APITokens[1] != (tokens.Stated{Name: "ben", Secret: "with:colons-in-it", Role: access.Admin}) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"hushhush", "a:", ":hushhush", "a:hush", "a:hushhush,a:hushhush2", "a:hush hush"} {
		if _, err := read(bad); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, want an error that does not show the token", bad, err)
		}
	}
}

// The secret is made once, kept between starts, private, and never replaced in
// silence.
func TestWebhookSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := webhookSecret("", dir)
	if err != nil || checkWebhookSecret(first) != nil {
		t.Fatalf("made %q, %v", first, err)
	}
	if again, err := webhookSecret("", dir); again != first || err != nil {
		t.Errorf("the second start has another secret, %v", err)
	}
	if given, err := webhookSecret(goodSecret, dir); given != goodSecret || err != nil {
		t.Errorf("the configured secret is not used: %v", err)
	}
	file := filepath.Join(dir, secretFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the secret's file: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(file, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := webhookSecret("", dir); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a broken file: %v, want an error that names it", err)
	}
}

func TestLockDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockDir(dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "DATA_DIR") {
		t.Errorf("a second lock: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = LockDir(dir)
	if err != nil {
		t.Fatalf("after unlock: %v", err)
	}
	unlock()
}
