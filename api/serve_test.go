package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every setting is a flag and an environment variable of the same name; an empty
// variable is as good as none.
func TestSettings(t *testing.T) {
	t.Parallel()
	model := kong.Must(new(ServeCmd))
	settings := 0
	for _, flag := range model.Model.AllFlags(false)[0] {
		if flag.Name == "help" {
			continue
		}
		settings++
		if got, want := flag.Tag.Get("setting"), strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_")); got != want {
			t.Errorf("--%s is the variable %q, want %s", flag.Name, got, want)
		}
	}
	if settings < 20 {
		t.Errorf("there are %d settings", settings)
	}
	var c struct{ ServeCmd }
	parser := kong.Must(&c.ServeCmd, kong.Resolvers(environment(func(name string) string {
		return map[string]string{"PORT": "", "DATA_DIR": "/from/env", "HUB_ALLOW": "a/*,b/*", "MAX_HEAVY_ATOMS": "99", "CHECKPOINT_SECONDS": "5", "WEBHOOK_ALLOW_PRIVATE": "1"}[name]
	})))
	if _, err := parser.Parse([]string{"--checkpoint-seconds", "7"}); err != nil {
		t.Fatal(err)
	}
	got := c.Config
	if got.Port != "" || got.DataDir != "/from/env" || len(got.HubAllow) != 2 || got.MaxHeavyAtoms != 99 || got.CheckpointSeconds != 7 || !got.WebhookAllowPrivate {
		t.Errorf("read %+v", got)
	}
}
