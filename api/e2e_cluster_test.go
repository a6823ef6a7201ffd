package main

import (
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// s3Server is what the tests of package storage/s3 run against, too.
const s3Server = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startS3 runs an S3 server with an empty bucket until the test ends. It returns
// the bucket's URL and the environment that reaches it.
func startS3(t *testing.T) (url string, env []string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "polyid-trainer", "versitygw")
	binary := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(binary); err != nil {
		cmd := exec.Command("go", "install", s3Server)
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("no S3 server to test against: go install %s: %s", s3Server, out)
		}
	}
	address := freeAddress(t)
	start(t, binary, nil, "--access", "test", "--secret", "testsecret", "--port", address, "posix", t.TempDir())
	until(t, "the S3 server", func() bool {
		res, err := http.Get("http://" + address)
		if err != nil {
			return false
		}
		res.Body.Close()
		return true
	})
	variables := map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret", "AWS_REGION": "us-east-1",
		"AWS_ENDPOINT_URL_S3": "http://" + address, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
	for name, value := range variables {
		t.Setenv(name, value)
		env = append(env, name+"="+value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bucket := "test-" + strings.ToLower(rand.Text())
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	return "s3://" + bucket + "/polyid", env
}

// redisProgram is a Redis server's; the test is skipped without one.
func redisProgram(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("neither valkey-server nor redis-server is on PATH: install one to test against it")
	return ""
}

// startRedis runs a Redis that keeps nothing, and waits until it answers.
func startRedis(t *testing.T, program, address string) *process {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	p := start(t, program, nil, "--port", port, "--save", "", "--dir", t.TempDir())
	c := redis.NewClient(&redis.Options{Addr: address})
	defer c.Close()
	until(t, "Redis", func() bool { return c.Ping(t.Context()).Err() == nil })
	return p
}

// startWorker runs a worker that trains one fold at a time, and has less
// patience with dead ones than it usually has.
func startWorker(t *testing.T, env []string) *process {
	t.Helper()
	program, err := workerProgram()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, program, append([]string{"CONCURRENCY=1", "CHECKPOINT_SECONDS=0.2"}, env...), "--lease=4s", "--reconcile=500ms")
}

// workers names who has folds of a job, or had them last.
func workers(v *jobs.View) (names []string) {
	for _, f := range v.Folds {
		if f.Worker != nil && !slices.Contains(names, *f.Worker) {
			names = append(names, *f.Worker)
		}
	}
	return names
}

// TestCluster is the service on a Redis and an S3 of others, with two workers,
// while Redis is emptied, killed and started anew, and a worker is killed.
func TestCluster(t *testing.T) {
	end2end(t)
	program := redisProgram(t)
	storage, env := startS3(t)
	address := freeAddress(t)
	server := startRedis(t, program, address)
	env = append(env, "REDIS_URL=redis://"+address, "STORAGE_URL="+storage)

	if _, errs := command(t, 2, "", "--storage-url", storage, "--redis-url", "redis://"+address); !strings.Contains(errs, "WEBHOOK_SECRET") {
		t.Errorf("on S3 without a secret the api told %q", errs)
	}
	s := newService(t, append(env, "WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")...)
	v := s.submit(small(200, ""))
	// Without a worker nothing happens, and what is asked for holds.
	for _, step := range []struct {
		action string
		want   jobs.State
	}{{"pause", jobs.Paused}, {"pause", jobs.Paused}, {"resume", jobs.Queued}, {"resume", jobs.Queued}} {
		if status := s.move(v.ID, step.action); status != 200 {
			t.Fatalf("%s of a queued job: %d", step.action, status)
		}
		if got := s.job(v.ID).Status; got != step.want {
			t.Fatalf("after %s the job is %s, want %s", step.action, got, step.want)
		}
	}
	one, two := startWorker(t, env), startWorker(t, env)
	s.reaches(v.ID, "both workers to train", func(v *jobs.View) bool { return len(workers(v)) == 2 && v.Progress.EpochsDone > 0 })

	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	after := s.job(v.ID).Progress.EpochsDone
	s.reaches(v.ID, "the folds to go on without what Redis held", func(v *jobs.View) bool { return v.Progress.EpochsDone > after })

	server.kill()
	if status := s.call("GET", "/readyz", "", nil); status != 503 {
		t.Errorf("without Redis /readyz answers %d, want 503", status)
	}
	if status := s.call("GET", "/v1/training-jobs/"+v.ID, "", nil); status != 200 {
		t.Errorf("without Redis the job's answer is %d, want 200: its record is not there", status)
	}
	startRedis(t, program, address) // an empty one

	two.kill()
	startWorker(t, env)
	v = s.succeeds(v.ID)
	if v.Published == nil {
		t.Fatal("the job is not published")
	}
	if got := workers(v); len(got) < 2 {
		t.Errorf("all folds were %q's", got)
	}
	if out, _ := command(t, 0, "smiles_repeat_unit\n*OC(C)C(=O)*\n", "predict", "--server", s.url, "-"); !strings.Contains(out, "Tg_pred_mean") {
		t.Errorf("predicted %q", out)
	}
	if code := one.stop(); code != 0 {
		t.Errorf("told to stop, a worker exits with %d", code)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("told to stop, the api exits with %d", code)
	}
}
