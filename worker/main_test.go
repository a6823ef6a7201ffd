package main

import (
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	// Empty is as good as unset.
	for _, name := range []string{"REDIS_URL", "STORAGE_URL", "DEVICE", "CHECKPOINT_SECONDS", "CONCURRENCY", "EXIT_WHEN_IDLE", "COST_PER_HOUR", "LOG_FORMAT"} {
		t.Setenv(name, "")
	}
	for name, c := range map[string]struct {
		args []string
		exit int
		want []string
	}{
		"help":           {[]string{"-h"}, 0, []string{"REDIS_URL", "EXIT_WHEN_IDLE"}},
		"nothing":        {nil, 2, []string{"REDIS_URL", "STORAGE_URL"}},
		"unknown":        {[]string{"--nope"}, 2, []string{"--nope"}},
		"another device": {[]string{"--redis-url=redis://127.0.0.1:1", "--storage-url=file:///x", "--device=cuda:0"}, 2, []string{"cuda:0", "-tags gpu"}},
		"no device":      {[]string{"--redis-url=redis://127.0.0.1:1", "--storage-url=file:///x", "--device=gpu"}, 2, []string{"DEVICE", "gpu", "cuda:0"}},
		"bad numbers": {[]string{"--redis-url=redis://127.0.0.1:1", "--storage-url=file:///x", "--checkpoint-seconds=0", "--concurrency=-1", "--cost-per-hour=-1", "--exit-when-idle=-1s"},
			2, []string{"CHECKPOINT_SECONDS", "CONCURRENCY", "COST_PER_HOUR", "EXIT_WHEN_IDLE"}},
		"no Redis":        {[]string{"--redis-url=redis://127.0.0.1:1/?max_retries=-1", "--storage-url=file://" + t.TempDir()}, 1, []string{"reach Redis"}},
		"a strange Redis": {[]string{"--redis-url=http://user:secret@h", "--storage-url=file:///x"}, 1, []string{"http://"}},
		"an unknown log":  {[]string{"--log-format=xml"}, 2, []string{"xml"}},
	} {
		var out, err strings.Builder
		exit := run(t.Context(), c.args, &out, &err)
		said := out.String() + err.String()
		if exit != c.exit {
			t.Errorf("%s: exit %d, want %d: %s", name, exit, c.exit, said)
		}
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: does not name %s: %s", name, want, said)
			}
		}
		if strings.Contains(said, "secret") {
			t.Errorf("%s: shows a password: %s", name, said)
		}
	}
}
