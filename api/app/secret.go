package app

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"polyid-trainer/storage/atomicfile"
)

const (
	secretPrefix = "whsec_"
	secretFile   = "webhook-secret" // in DATA_DIR
	secretSize   = 32               // bytes of one made here; Standard Webhooks wants 24 to 64
)

// checkWebhookSecret says what is wrong with a signing secret without showing it.
func checkWebhookSecret(s string) error {
	rest, ok := strings.CutPrefix(s, secretPrefix)
	if !ok {
		return errors.New("does not begin with whsec_")
	}
	key, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return errors.New("what follows whsec_ is not base64")
	}
	if len(key) < 24 || len(key) > 64 {
		return fmt.Errorf("holds %d bytes, not 24 to 64", len(key))
	}
	return nil
}

// webhookSecret is the configured secret, or the one kept in dir, which is made
// on first use. The caller holds the lock of dir.
func webhookSecret(configured, dir string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	file := filepath.Join(dir, secretFile)
	stored, err := os.ReadFile(file)
	if err == nil {
		secret := strings.TrimSpace(string(stored))
		if err := checkWebhookSecret(secret); err != nil {
			return "", fmt.Errorf("%s: %w: remove the file for a new secret", file, err)
		}
		return secret, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("webhook secret: %w", err)
	}
	key := make([]byte, secretSize)
	rand.Read(key) // never fails
	secret := secretPrefix + base64.StdEncoding.EncodeToString(key)
	if err := atomicfile.Replace(file, 0o600, atomicfile.Bytes([]byte(secret+"\n"))); err != nil {
		return "", fmt.Errorf("webhook secret: %w", err)
	}
	return secret, nil
}
