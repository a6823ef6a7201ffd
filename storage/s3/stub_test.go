package s3_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"polyid-trainer/storage"
	"polyid-trainer/storage/probe"
	"polyid-trainer/storage/storagetest"
)

// stub is a small S3 server over HTTPS with the faults that real ones have.
type stub struct {
	refuseTrailers bool                     // as many do
	alter          func(body []byte) []byte // what is stored of what was sent
	ignoreIf       bool                     // conditions
	opaqueETags    bool                     // no MD5 sums, as with SSE-KMS
	conflicts      atomic.Int32             // answers to writes that are 409 before one counts
	refuse         string                   // code of a 400 to every write
	writes         atomic.Int32
	checksums      atomic.Int32 // writes with a checksum in a header

	mu      sync.Mutex
	objects map[string][]byte
	parts   map[string]map[string][]byte
}

func (s *stub) problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>it is so</Message></Error>`, code)
}

func (s *stub) etag(body []byte) string {
	sum := md5.Sum(body)
	if s.opaqueETags {
		sum = md5.Sum(sum[:])
	}
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/bucket/")
	q := r.URL.Query()
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		s.writes.Add(1)
		if r.Header.Get("X-Amz-Checksum-Crc32") != "" {
			s.checksums.Add(1)
		}
		switch {
		case s.refuse != "":
			s.problem(w, http.StatusBadRequest, s.refuse)
			return
		case s.refuseTrailers && (r.Header.Get("X-Amz-Trailer") != "" || strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked")):
			s.problem(w, http.StatusBadRequest, "InvalidRequest")
			return
		case s.conflicts.Add(-1) >= 0:
			s.problem(w, http.StatusConflict, "ConditionalRequestConflict")
			return
		}
	}
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		s.parts[key] = map[string][]byte{}
		fmt.Fprintf(w, `<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>`, "u")
	case r.Method == http.MethodPut && q.Has("partNumber"):
		s.parts[key][fmt.Sprintf("%5s", q.Get("partNumber"))] = body
		w.Header().Set("ETag", s.etag(body))
	case r.Method == http.MethodPost && q.Has("uploadId"):
		var whole, sums []byte
		for _, n := range slices.Sorted(maps.Keys(s.parts[key])) {
			sum := md5.Sum(s.parts[key][n])
			whole, sums = append(whole, s.parts[key][n]...), append(sums, sum[:]...)
		}
		s.store(w, r, key, whole, fmt.Sprintf(`%s-%d"`, strings.TrimSuffix(s.etag(sums), `"`), len(s.parts[key])))
	case r.Method == http.MethodPut:
		s.store(w, r, key, body, "")
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		delete(s.parts, key)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case q.Has("list-type"):
		s.list(w, q.Get("prefix"))
	default:
		body, ok := s.objects[key]
		if !ok {
			s.problem(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", s.etag(body))
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(string(body)))
	}
}

func (s *stub) store(w http.ResponseWriter, r *http.Request, key string, body []byte, etag string) {
	have, exists := s.objects[key]
	if !s.ignoreIf {
		match := r.Header.Get("If-Match")
		if exists && r.Header.Get("If-None-Match") != "" || match != "" && (!exists || s.etag(have) != match) {
			s.problem(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
	}
	if s.alter != nil {
		body, etag = s.alter(body), ""
	}
	if s.objects[key] = body; etag == "" || s.opaqueETags {
		etag = s.etag(body)
	}
	w.Header().Set("ETag", etag)
	if r.Method == http.MethodPost {
		fmt.Fprintf(w, `<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>`, etag)
	}
}

func (s *stub) list(w http.ResponseWriter, prefix string) {
	fmt.Fprint(w, `<ListBucketResult>`)
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if strings.HasPrefix(key, prefix) {
			fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><LastModified>2026-01-02T12:00:00Z</LastModified></Contents>`, key, len(s.objects[key]))
		}
	}
	fmt.Fprint(w, `</ListBucketResult>`)
}

// serve starts the stub and points the AWS_* variables at it.
func (s *stub) serve(t *testing.T) {
	t.Helper()
	s.objects, s.parts = map[string][]byte{}, map[string]map[string][]byte{}
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret", "AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": ca,
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
}

// A store that refuses trailers will do, whatever the checksum variable says.
func TestStoreThatRefusesTrailers(t *testing.T) {
	for _, when := range []string{"", "when_supported", "when_required"} {
		t.Run("checksums "+when, func(t *testing.T) {
			s := &stub{refuseTrailers: true}
			s.serve(t)
			t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", when)
			t.Setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", when)
			if !probe.Run(t.Context(), open(t, "s3://bucket/p"), fails(t)) {
				t.Error("it will not do")
			}
			if n := s.checksums.Load(); (when == "when_required") != (n == 0) {
				t.Errorf("%d writes of %d carry a checksum", n, s.writes.Load())
			}
			if len(s.objects) != 0 {
				t.Errorf("the probe left %v", slices.Collect(maps.Keys(s.objects)))
			}
		})
	}
}

func fails(t *testing.T) func(probe.Result) {
	return func(r probe.Result) {
		t.Helper()
		if r.Err != nil {
			t.Errorf("%s: %v", r.Name, r.Err)
		}
	}
}

// ETags that are no MD5 sums are no reason to refuse a store.
func TestOpaqueETags(t *testing.T) {
	(&stub{opaqueETags: true}).serve(t)
	probe.Run(t.Context(), open(t, "s3://bucket"), fails(t))
}

// A store that stores something else than it is sent is refused with the reason,
// and nothing of it stays.
func TestStoreThatAltersBodies(t *testing.T) {
	framing := func(body []byte) []byte {
		return fmt.Appendf(nil, "%x;chunk-signature=0\r\n%s\r\n0;chunk-signature=0\r\n\r\n", len(body), body)
	}
	s := &stub{alter: framing}
	s.serve(t)
	b := open(t, "s3://bucket")
	_, err := b.Put(t.Context(), "k", strings.NewReader("body"), 4, storage.Condition{})
	if !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), "changes what it is given") {
		t.Errorf("Put = %v", err)
	}
	if len(s.objects) != 0 {
		t.Errorf("stored %q", s.objects)
	}
	if err := probe.Start(t.Context(), b); !errors.Is(err, storage.ErrRefused) {
		t.Errorf("Start = %v", err)
	}
	if probe.Run(t.Context(), b, func(probe.Result) {}) {
		t.Error("it will do")
	}
	// One that keeps the length is found out by what it returns.
	s.alter = func(body []byte) []byte { return append([]byte("x"), body[:max(0, len(body)-1)]...) }
	if err := probe.Start(t.Context(), b); !errors.Is(err, probe.ErrUnfit) {
		t.Errorf("Start = %v, want ErrUnfit", err)
	}
}

func TestStoreWithoutConditions(t *testing.T) {
	(&stub{ignoreIf: true}).serve(t)
	if err := probe.Start(t.Context(), open(t, "s3://bucket")); !errors.Is(err, probe.ErrUnfit) || !strings.Contains(err.Error(), "overwrites") {
		t.Errorf("Start = %v", err)
	}
}

// A 409 says that another write was under way, not that the object is there.
func TestConflictOfTheMomentIsRetried(t *testing.T) {
	for _, cond := range []storage.Condition{storage.IfAbsent(), {}} {
		s := &stub{}
		s.serve(t)
		s.conflicts.Store(4) // more than the client of the SDK tries
		b := &storage.Retry{Bucket: open(t, "s3://bucket"), First: time.Nanosecond}
		if _, err := b.Put(t.Context(), "k", strings.NewReader("body"), 4, cond); err != nil {
			t.Errorf("Put = %v", err)
		}
		if string(s.objects["k"]) != "body" {
			t.Errorf("stored %q", s.objects)
		}
	}
}

// A refusal that will not pass is not tried again, and says so.
func TestPermanentRefusal(t *testing.T) {
	for code, permanent := range map[string]bool{"InvalidRequest": true, "AuthorizationHeaderMalformed": true, "BadDigest": false} {
		s := &stub{refuse: code}
		s.serve(t)
		b := &storage.Retry{Bucket: open(t, "s3://bucket"), First: time.Nanosecond, Tries: 3}
		_, err := b.Put(t.Context(), "k", strings.NewReader("body"), 4, storage.Condition{})
		if errors.Is(err, storage.ErrRefused) != permanent || errors.Is(err, storage.ErrUnavailable) == permanent {
			t.Errorf("%s: Put = %v", code, err)
		}
		if n := s.writes.Load(); permanent && n != 1 || !permanent && n != 3 {
			t.Errorf("%s: %d tries", code, n)
		}
	}
}

// A bucket that is full says so at once, however the server puts it, and works
// again once there is room.
func TestFullBucket(t *testing.T) {
	for _, code := range []string{"QuotaExceeded", "BucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage"} {
		s := &stub{refuse: code}
		s.serve(t)
		b := &storage.Retry{Bucket: open(t, "s3://bucket"), First: time.Nanosecond, Tries: 3}
		_, err := b.Put(t.Context(), "k", strings.NewReader("body"), 4, storage.Condition{})
		if !errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrRefused) || errors.Is(err, storage.ErrUnavailable) || s.writes.Load() != 1 {
			t.Errorf("%s: Put = %v after %d tries", code, err, s.writes.Load())
		}
		if len(s.objects) > 0 {
			t.Errorf("%s: %q is stored", code, s.objects)
		}
		s.refuse = ""
		if _, err := b.Put(t.Context(), "k", strings.NewReader("body"), 4, storage.Condition{}); err != nil {
			t.Errorf("%s, and then there is room: Put = %v", code, err)
		}
	}
}

// The whole suite holds over HTTPS too.
func TestBucketOverTLS(t *testing.T) {
	storagetest.Exercise(t, func(t *testing.T) storage.Bucket {
		(&stub{refuseTrailers: true}).serve(t)
		return open(t, "s3://bucket/a/prefix")
	})
}
