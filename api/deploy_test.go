//go:build unix

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// dockerfile reads the settings that the image is made with.
func dockerfile(t *testing.T) (env []string, user, command string) {
	t.Helper()
	b, err := os.ReadFile("deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "ENV":
			env = append(env, strings.Fields(rest)...)
		case "USER":
			user = rest
		case "CMD":
			command = rest
		}
	}
	return env, user, command
}

// The image's own settings start the service, as a user who may write nowhere
// else, and only with tokens.
func TestImage(t *testing.T) {
	end2end(t)
	env, user, cmd := dockerfile(t)
	if want := []string{"HOST=0.0.0.0", "PORT=7860", "DATA_DIR=/data"}; !slices.Equal(env, want) || user != "1000" || cmd != `["api", "serve"]` {
		t.Fatalf("the image is made with %q, user %s, %s: a Space wants %q and user 1000", env, user, cmd, want)
	}
	data, err := os.MkdirTemp("", "data") // t.TempDir is below directories of this user alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	env[2] = "DATA_DIR=" + data
	program, err := apiProgram()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, program, env, "serve")
	if code := p.wait(); code != 2 && code != 1 || !strings.Contains(p.errs.String(), "API_TOKENS") {
		t.Fatalf("without tokens: exit status %d, %s", code, p.errs)
	}

	var as *syscall.SysProcAttr
	if os.Getuid() == 0 {
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
		for _, err := range []error{os.Chown(data, 1000, 1000), os.Chmod(scratch, 0o755)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	p = startAs(t, as, program, append(env, "API_TOKENS=me:s3cret-of-mine", "HOME=/nowhere", "TMPDIR="+data), "serve")
	get := func(path, token string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:7860"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	until(t, "the service of the image", func() bool {
		select {
		case <-p.done:
			t.Fatalf("it ended: %s", p.errs)
		default:
		}
		status, _ := get("/readyz", "")
		return status == http.StatusOK
	})
	if status, body := get("/v1/training-jobs", ""); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d %s", status, body)
	}
	if status, body := get("/v1/training-jobs", "s3cret-of-mine"); status != http.StatusOK {
		t.Errorf("its user gets %d %s", status, body)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("told to stop, it exits with %d", code)
	}
}

// What the manifests set are settings, and what they watch are metrics.
func TestManifests(t *testing.T) {
	settings := regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)
	known := []string{"API_TOKENS", "HF_TOKEN", "WEBHOOK_SECRET", "EXIT_WHEN_IDLE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	for _, flag := range kong.Must(new(ServeCmd)).Model.AllFlags(false)[0] {
		known = append(known, flag.Tag.Get("setting"))
	}
	metrics, err := os.ReadFile("metrics/shared.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deploy/kubernetes.yaml", "deploy/compose.yaml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for dec := yaml.NewDecoder(bytes.NewReader(b)); ; {
			var doc map[string]any
			if err := dec.Decode(&doc); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, yaml.FormatError(err, false, true))
			}
		}
		for _, s := range settings.FindAllString(string(b), -1) {
			if !slices.Contains(known, s) {
				t.Errorf("%s sets %s, which is no setting", name, s)
			}
		}
		for _, m := range regexp.MustCompile(`polyid_[a-z_]+`).FindAllString(string(b), -1) {
			if !bytes.Contains(metrics, []byte(`"`+m+`"`)) {
				t.Errorf("%s watches %s, which is no metric", name, m)
			}
		}
	}
}
