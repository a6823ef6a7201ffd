package s3_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"polyid-trainer/storage"
	"polyid-trainer/storage/s3"
	"polyid-trainer/storage/storagetest"
)

// server is the S3 server the suite runs against: versitygw over a directory.
const server = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

func TestBucket(t *testing.T) {
	start(t)
	storagetest.Exercise(t, func(t *testing.T) storage.Bucket { return open(t, makeBucket(t)+"/a/prefix") })
}

// A bucket that does not exist is a wrong setting, not an absent object.
func TestNoSuchBucket(t *testing.T) {
	start(t)
	_, err := open(t, "s3://no-such-bucket").Get(t.Context(), "k")
	if err == nil || errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Get from a bucket that does not exist: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, bad := range []string{"s3:///key", "s3://b/../c"} {
		u, err := url.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s3.Open(t.Context(), u); err == nil {
			t.Errorf("Open(%s) succeeded", bad)
		}
	}
}

func open(t *testing.T, raw string) *s3.Bucket {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s3.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// makeBucket creates a bucket of its own for a test.
func makeBucket(t *testing.T) string {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := "test-" + strings.ToLower(rand.Text())
	client := awss3.NewFromConfig(cfg, func(o *awss3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
		t.Fatal(err)
	}
	return "s3://" + name
}

// start runs the server on a free port until the test ends and points the
// AWS_* variables at it.
func start(t *testing.T) {
	t.Helper()
	binary := build(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	address := freeAddress(t)
	cmd := exec.CommandContext(ctx, binary, "--access", "test", "--secret", "testsecret", "--port", address, "posix", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() { // drain to the end: a full pipe would stop the server
			if strings.Contains(lines.Text(), address) {
				select {
				case ready <- true:
				default:
				}
			}
		}
		close(ready)
	}()
	if !<-ready {
		t.Fatal("the S3 server ended before it was ready")
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret", "AWS_REGION": "us-east-1",
		"AWS_ENDPOINT_URL_S3": "http://" + address, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
}

// build installs the server once into the user's cache.
func build(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "polyid-trainer", "versitygw")
	binary := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	cmd := exec.Command("go", "install", server)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("no S3 server to test against: go install %s: %s", server, out)
	}
	return binary
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
