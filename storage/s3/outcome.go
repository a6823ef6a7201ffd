package s3

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"polyid-trainer/storage"
)

// conflictNow is the code of a 409: another conditional write of the key was
// under way, and nothing is known of how it ended.
const conflictNow = "ConditionalRequestConflict"

// passing are codes of refusals that another try may not meet.
var passing = []string{
	"RequestTimeout", "RequestTimeTooSkewed", "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired",
	"IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "SlowDown", "Throttling",
}

// outcome names the answers a caller acts on.
func outcome(err error, cond storage.Condition) error {
	if err == nil {
		return nil
	}
	code := ""
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	status := 0
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	_, matching := cond.Match()
	switch {
	case code == "NoSuchBucket": // a setting is wrong: not an absent object
		return fmt.Errorf("%w (%w)", storage.ErrRefused, err)
	case code == "NoSuchUpload": // ended by another, perhaps by an earlier try of ours
		return err
	case status == http.StatusPreconditionFailed, status == http.StatusNotFound && matching:
		return fmt.Errorf("%w (%w)", storage.ErrConflict, err)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w (%w)", storage.ErrNotExist, err)
	case full(status, code):
		return fmt.Errorf("%w (%w)", storage.ErrFull, err)
	case permanent(status, code):
		return fmt.Errorf("%w (%w)", storage.ErrRefused, err)
	}
	return err
}

// full reports whether there is no room. Servers say so in many ways: MinIO has
// XMinioStorageFull, Ceph QuotaExceeded.
func full(status int, code string) bool {
	return status == http.StatusInsufficientStorage || strings.Contains(code, "Quota") || strings.Contains(code, "Full") || code == "InsufficientStorage"
}

// permanent reports whether a server would give the same answer again.
func permanent(status int, code string) bool {
	if slices.Contains(passing, code) {
		return false
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed,
		http.StatusLengthRequired, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}
