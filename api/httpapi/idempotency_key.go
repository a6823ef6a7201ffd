package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

const maxKey = 255 // characters of an Idempotency-Key

// checkKey refuses an Idempotency-Key that no client sends on purpose.
func checkKey(key string) error {
	if len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return newProblem(http.StatusBadRequest, Malformed, "an Idempotency-Key has at most 255 printable ASCII characters")
	}
	return nil
}

// hashOf names a body.
func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
