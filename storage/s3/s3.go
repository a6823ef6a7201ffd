// Package s3 is a storage.Bucket in an S3 bucket: Amazon's, or any server that
// honours If-Match and If-None-Match on PutObject and
// CompleteMultipartUpload.
//
// Bodies are sent as they are, with a checksum in a header and never in a
// trailer: many servers refuse the aws-chunked encoding that a trailer needs, and
// some store its framing. AWS_REQUEST_CHECKSUM_CALCULATION=when_required leaves
// the checksum out. What was stored is compared with what was sent, by its ETag
// or else its length, before a Put succeeds.
package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"polyid-trainer/storage"
)

// silence is how long a server may say nothing once it has a request, before the
// call fails and is tried again.
const silence = time.Minute

// Bucket stores objects under a prefix of an S3 bucket.
type Bucket struct {
	client *s3.Client
	bucket string
	prefix string // "" or "a/b/"
	sums   bool   // send checksums
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
		// Another writer was at work on the key: which of the two counts is open
		// until it is tried again.
		o.Retryer = retry.AddWithErrorCodes(retry.NewStandard(), conflictNow, "OperationAborted")
		o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL_S3") != "" || os.Getenv("AWS_ENDPOINT_URL") != ""
	})
	return &Bucket{
		client: client, bucket: u.Host, prefix: prefix,
		sums: client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired,
	}, nil
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
	version := storage.Version(aws.ToString(out.ETag))
	return &storage.Object{
		ReadCloser: out.Body,
		Entry:      storage.Entry{Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)},
		Version:    func() (storage.Version, error) { return version, nil },
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
				yield(storage.Entry{}, fmt.Errorf("list %s: %w", prefix, outcome(err, storage.Condition{})))
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
