package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args        string
		code        int
		out, errors string // must occur in them; "" = must be empty
	}{
		{"-h", 0, "featurize", ""},
		{"featurize -h", 0, "--morgan", ""},
		{"featurize --help", 0, "--morgan", ""},
		{"unknown", 2, "", "unknown"},
		{"featurize --atom", 2, "", "--atom"},
		{"featurize --nonsense", 2, "", "--nonsense"},
		{"featurize --atom atom_features_v9", 2, "", "atom_features_v1"},
		{"featurize --bond x", 2, "", "bond_features_v3"},
		{"featurize extra", 2, "", "extra"},
		{"serve -h", 0, "--data-dir", ""},
		{"--port x", 2, "", "PORT"}, // no command serves
		{"serve --host 0.0.0.0", 2, "", "API_TOKENS"},
		{"serve --api-tokens a:secret", 2, "", "api-tokens"}, // secrets have no flags
		{"train", 2, "", "job.json"},
		{"train --server localhost x.json", 2, "", "--server"},
		{"train no-such-file.json", 1, "", "no-such-file.json"},
		{"predict no-such-file.csv", 1, "", "no-such-file.csv"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), strings.NewReader(""), &out, &errs); code != c.code {
			t.Errorf("%q: exit status %d, want %d", c.args, code, c.code)
		}
		for name, s := range map[string]struct{ got, want string }{"stdout": {out.String(), c.out}, "stderr": {errs.String(), c.errors}} {
			if (s.want == "") != (s.got == "") || !strings.Contains(s.got, s.want) {
				t.Errorf("%q: %s is %q, want %q in it", c.args, name, s.got, s.want)
			}
		}
	}
}
