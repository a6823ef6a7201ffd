// Package s3 is a storage.Bucket in an S3 bucket: Amazon's, or any server that
// honours If-Match and If-None-Match on PutObject and
// CompleteMultipartUpload.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"polyid-trainer/storage"
)

// silence is how long a server may say nothing once it has a request, before the
// call fails and is tried again.
const silence = time.Minute

// Bucket stores objects under a prefix of an S3 bucket.
type Bucket struct {
	client   *s3.Client
	transfer *transfermanager.Client
	bucket   string
	prefix   string // "" or "a/b/"
}

var _ storage.Bucket = (*Bucket)(nil)

// Open makes a Bucket for "s3://bucket/prefix". Region, credentials and
// endpoint come from the usual AWS_* variables and files; with an endpoint of
// one's own (AWS_ENDPOINT_URL_S3), buckets are addressed by path.
func Open(ctx context.Context, u *url.URL) (*Bucket, error) {
	if u.Host == "" {
		return nil, errors.New("open storage: want s3://bucket or s3://bucket/prefix")
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		if err := storage.CheckKey(prefix); err != nil {
			return nil, fmt.Errorf("open storage: %w", err)
		}
		prefix += "/"
	}
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithLogger(logging.Nop{}), // errors are returned; the rest is noise
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = silence
		})))
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // servers of one's own do not care, but signing needs one
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL_S3") != "" || os.Getenv("AWS_ENDPOINT_URL") != ""
	})
	return &Bucket{client: client, transfer: transfermanager.New(client), bucket: u.Host, prefix: prefix}, nil
}

// Put implements storage.Bucket. Large bodies go up in parts, which become an
// object only once all have arrived.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (storage.Version, error) {
	if err := storage.CheckKey(key); err != nil {
		return "", err
	}
	in := &transfermanager.UploadObjectInput{
		Bucket:        &b.bucket,
		Key:           aws.String(b.prefix + key),
		Body:          &exactReader{r: body, left: size},
		ContentLength: &size,
	}
	if cond.Absent() {
		in.IfNoneMatch = aws.String("*")
	} else if v, ok := cond.Match(); ok {
		in.IfMatch = aws.String(string(v))
	}
	out, err := b.transfer.UploadObject(ctx, in)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, outcome(err, cond))
	}
	return storage.Version(aws.ToString(out.ETag)), nil
}

// Get implements storage.Bucket.
func (b *Bucket) Get(ctx context.Context, key string) (*storage.Object, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, err
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: aws.String(b.prefix + key)})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, outcome(err, storage.Condition{}))
	}
	return &storage.Object{
		ReadCloser: out.Body,
		Entry:      storage.Entry{Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)},
		Version:    storage.Version(aws.ToString(out.ETag)),
	}, nil
}

// List implements storage.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{
			Bucket: &b.bucket, Prefix: aws.String(b.prefix + prefix),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(storage.Entry{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			for _, o := range page.Contents {
				e := storage.Entry{
					Key:      strings.TrimPrefix(aws.ToString(o.Key), b.prefix),
					Size:     aws.ToInt64(o.Size),
					Modified: aws.ToTime(o.LastModified),
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Delete implements storage.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: aws.String(b.prefix + key)})
	if err = outcome(err, storage.Condition{}); err != nil && !errors.Is(err, storage.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// outcome names the answers a caller acts on.
func outcome(err error, cond storage.Condition) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	var response *awshttp.ResponseError
	status := 0
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	_, matching := cond.Match()
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "NoSuchBucket":
		return err // a setting is wrong: not an absent object
	case status == http.StatusPreconditionFailed,
		status == http.StatusConflict && (cond.Absent() || matching), // a concurrent conditional write won
		status == http.StatusNotFound && matching:
		return fmt.Errorf("%w (%w)", storage.ErrConflict, err)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w (%w)", storage.ErrNotExist, err)
	}
	return err
}

// exactReader fails unless the body ends after exactly the bytes announced, so
// that a broken one never becomes an object.
type exactReader struct {
	r    io.Reader
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return 0, errors.New("body is longer than announced")
	case errors.Is(err, io.EOF) && e.left > 0:
		return n, fmt.Errorf("body is %d bytes shorter than announced", e.left)
	}
	return n, err
}
