package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"polyid-trainer/storage"
)

const (
	partSize    = 8 << 20          // bytes of a part, and of the largest object sent in one request
	maxParts    = 10_000           // of one object, as S3 has it
	partsAtOnce = 4                // sent at a time, which bounds memory with partSize
	abortWithin = 10 * time.Second // of an upload that failed
)

// Put implements storage.Bucket. Large bodies go up in parts, which become an
// object only once all have arrived.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (storage.Version, error) {
	if err := storage.CheckKey(key); err != nil {
		return "", err
	}
	put := b.putWhole
	if size > partSize {
		put = b.putParts
	}
	etag, sent, err := put(ctx, key, body, size, cond)
	if err == nil {
		err = b.verify(ctx, key, etag, sent, size)
	}
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	return storage.Version(etag), nil
}

// putWhole sends an object in one request. It returns the object's ETag and the
// one that what was sent has where ETags are MD5 sums.
func (b *Bucket) putWhole(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (etag, sent string, err error) {
	p := part{content: make([]byte, size)}
	if err := p.read(body, true); err != nil {
		return "", "", err
	}
	in := &s3.PutObjectInput{
		Bucket: &b.bucket, Key: aws.String(b.prefix + key), Body: bytes.NewReader(p.content), ContentLength: &size,
		ChecksumCRC32: b.sum(&p), IfNoneMatch: ifNoneMatch(cond), IfMatch: ifMatch(cond),
	}
	out, err := b.client.PutObject(ctx, in)
	if err != nil {
		return "", "", outcome(err, cond)
	}
	return aws.ToString(out.ETag), hex.EncodeToString(p.md5[:]), nil
}

// putParts sends an object in parts, some of them at a time.
func (b *Bucket) putParts(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (etag, sent string, err error) {
	create := &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: aws.String(b.prefix + key)}
	if b.sums {
		create.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
	}
	upload, err := b.client.CreateMultipartUpload(ctx, create)
	if err != nil {
		return "", "", outcome(err, storage.Condition{})
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortWithin)
			defer cancel()
			// What cannot be aborted now is for the bucket's lifecycle rule.
			_, _ = b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.bucket, Key: create.Key, UploadId: upload.UploadId})
		}
	}()
	parts, sums, err := b.sendParts(ctx, create.Key, upload.UploadId, body, size)
	if err != nil {
		return "", "", err
	}
	out, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.bucket, Key: create.Key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		IfNoneMatch: ifNoneMatch(cond), IfMatch: ifMatch(cond),
	})
	if err != nil {
		return "", "", outcome(err, cond)
	}
	whole := md5.Sum(sums)
	return aws.ToString(out.ETag), fmt.Sprintf("%s-%d", hex.EncodeToString(whole[:]), len(parts)), nil
}

// sendParts sends all parts of a body and returns them with their MD5 sums, one
// after the other.
func (b *Bucket) sendParts(ctx context.Context, key, upload *string, body io.Reader, size int64) ([]types.CompletedPart, []byte, error) {
	each := max(int64(partSize), (size+maxParts-1)/maxParts)
	parts := make([]types.CompletedPart, (size+each-1)/each)
	var sums []byte
	sending, ctx := errgroup.WithContext(ctx)
	free := make(chan []byte, partsAtOnce)
	for range partsAtOnce {
		free <- nil
	}
	read := func() error {
		for i := range parts {
			var room []byte
			select {
			case room = <-free:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			n := min(each, size-int64(i)*each)
			p := part{content: slices.Grow(room[:0], int(n))[:n]}
			if err := p.read(body, i == len(parts)-1); err != nil {
				return err
			}
			sums = append(sums, p.md5[:]...)
			number := aws.Int32(int32(i + 1))
			sending.Go(func() error {
				sum := b.sum(&p)
				out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: &b.bucket, Key: key, UploadId: upload, PartNumber: number,
					Body: bytes.NewReader(p.content), ContentLength: aws.Int64(int64(len(p.content))), ChecksumCRC32: sum,
				})
				if err != nil {
					return outcome(err, storage.Condition{})
				}
				parts[i] = types.CompletedPart{ETag: out.ETag, PartNumber: number, ChecksumCRC32: sum}
				free <- p.content
				return nil
			})
		}
		return nil
	}
	readErr := read()
	if err := sending.Wait(); err != nil {
		return nil, nil, err
	}
	return parts, sums, readErr
}

// part is what one request sends.
type part struct {
	content []byte
	md5     [md5.Size]byte
}

// read fills the content from body, of which nothing may be left after the last
// part: a broken body never becomes an object.
func (p *part) read(body io.Reader, last bool) error {
	n, err := io.ReadFull(body, p.content)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("body is at least %d bytes shorter than announced", len(p.content)-n)
	case err != nil:
		return err
	}
	if last {
		switch n, err := io.ReadFull(body, make([]byte, 1)); {
		case n > 0:
			return errors.New("body is longer than announced")
		case !errors.Is(err, io.EOF):
			return err
		}
	}
	p.md5 = md5.Sum(p.content)
	return nil
}

// sum is the checksum that goes with a part, nil if none is to be sent.
func (b *Bucket) sum(p *part) *string {
	if !b.sums {
		return nil
	}
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(p.content))))
}

// verify makes sure that a server has stored what was sent. Where ETags are not
// MD5 sums it asks for the length, which differs where the framing of a transfer
// was stored with it; such an object is removed.
func (b *Bucket) verify(ctx context.Context, key, etag, sent string, size int64) error {
	if strings.Trim(etag, `"`) == sent {
		return nil
	}
	name := aws.String(b.prefix + key)
	head, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: name})
	if err = outcome(err, storage.Condition{}); err != nil {
		if errors.Is(err, storage.ErrNotExist) { // removed meanwhile
			return nil
		}
		return fmt.Errorf("look at what was stored: %w", err)
	}
	if have := aws.ToInt64(head.ContentLength); aws.ToString(head.ETag) == etag && have != size {
		err := fmt.Errorf("%w: it has stored %d bytes of the %d that were sent, so it changes what it is given", storage.ErrRefused, have, size)
		_, removeErr := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: name})
		return errors.Join(err, removeErr)
	}
	return nil
}

func ifNoneMatch(c storage.Condition) *string {
	if c.Absent() {
		return aws.String("*")
	}
	return nil
}

func ifMatch(c storage.Condition) *string {
	if v, ok := c.Match(); ok {
		return aws.String(string(v))
	}
	return nil
}
