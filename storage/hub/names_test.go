package hub_test

import (
	"errors"
	"strings"
	"testing"

	"polyid-trainer/storage/hub"
)

// TestNames holds one grammar for names; a refusal names the value.
func TestNames(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, c := range []struct {
		kind      string
		check     func(string) error
		good, bad []string
	}{
		{kind: "repository", check: hub.CheckRepo,
			good: []string{"acme/tg", "a/b", "Acme_1/tg-2.0", "a/api", "0/0"},
			bad: []string{"", "a", "/a", "a/", "a/b/c", "../x", "a/..", "a/b..c", "a/b.git", "a/b.GIT", "a/b.", "a/b-", "-a/b", ".a/b", "acme/a--b", "acme/x.git",
				"datasets/x", "api/x", "API/x", "models/x", "spaces/x", "a/b c", "a/ü", "a/" + long, "con/x", "a/nul", "a/COM1.txt", "a/b\n"}},
		{kind: "branch", check: hub.CheckBranch,
			good: []string{"main", "dev/one", "a.b", "release-v1.0.0", "v1", "1.0", "ü", "deadbeef", "feature/x_y-z"},
			bad: []string{"", "refs/pr/1", "refs/heads/x", "x/", "/x", "a//b", "HEAD", "head", "@", "v1.0.0", "1.2.3", "V2.0.0-rc.1", "a..b", "a@{b", "a b", "a~b", "a^b", "a:b", "a?b",
				"a*b", "a[b", `a\b`, ".a", "a/.b", "a.", "a.lock", "a.lock/b", "-a", strings.Repeat("0", 40), long, "a\x00b", "a\u200bb", "\xff", "nul/x"}},
		{kind: "tag", check: hub.CheckTag, good: []string{"v1.0.0", "stable", "a/b"}, bad: []string{"", "HEAD", "refs/tags/x", "x/", "a..b"}},
		{kind: "path", check: hub.CheckPath,
			good: []string{"a", "a/b.c", "a b", `a?b`, `ab:c`, `a"b`, `a<b>`, `a\b`, `a|b`, `a*b`, ".gitignore", ".gitattributes", "git", "git~2", ".github/x", "a..b", "...", "ü/日本", "con", strings.Repeat("d/", 31) + "x"},
			bad: []string{"", ".", "..", "../x", "/x", "x/", "a//b", "a/../b", "a/./b", ".git", ".git/config", "a/.GIT/x", ".git ", ".git.", ".git . ", ".git::$INDEX_ALLOCATION", ".git:x",
				"git~1", "GIT~1/x", "git~1 ", ".g\u200cit/x", "\ufeff.git", ".gi\u202et", `a\.git\x`, `..\x`, `a\..`, "C:x", "a/c:", `\x`, `a/\\x`, "a\nb", "a\x7f", "a\x00", "\xff", long, strings.Repeat("d/", 32) + "x", strings.Repeat("a/", 600)}},
	} {
		for _, s := range c.good {
			if err := c.check(s); err != nil {
				t.Errorf("%s %q: %v", c.kind, s, err)
			}
		}
		for _, s := range c.bad {
			err := c.check(s)
			var name *hub.NameError
			if !errors.As(err, &name) || name.Kind != c.kind || name.Value != s || name.Detail == "" {
				t.Errorf("%s %q passes: %v", c.kind, s, err)
			}
		}
	}
}
