package tokens

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// A browser's session is a cookie that the token's secret has signed: the secret is
// the seed of an Ed25519 key. What is stored of a token is the public half, so that
// every replica can check a cookie, and whoever reads the storage can make none.

// signer is the key that a secret signs sessions with.
func signer(secret string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("polyid session\x00" + secret))
	return ed25519.NewKeyFromSeed(seed[:])
}

// NewSession is a cookie's value that lets the holder of a secret in until a time;
// ok is false for a secret that is not good. No two are equal, so that each can be
// ended by itself. It does not hold the secret, and it is good on every replica, for
// as long as the token is.
func (k *Keyring) NewSession(secret string, until time.Time) (cookie string, ok bool) {
	h, ok := k.Find(secret)
	if !ok {
		return "", false
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(h.Name)) + "." + strconv.FormatInt(until.Unix(), 10) + "." + rand.Text()
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(signer(secret), []byte(text))), true
}

// Session is the holder of the token that signed a cookie; ok is false if none did,
// its time is over, or the token is no longer good.
func (k *Keyring) Session(cookie string) (h Holder, ok bool) {
	i := strings.LastIndexByte(cookie, '.')
	if i < 0 {
		return Holder{}, false
	}
	text := cookie[:i]
	signature, err := base64.RawURLEncoding.DecodeString(cookie[i+1:])
	encoded, rest, _ := strings.Cut(text, ".")
	expiry, _, _ := strings.Cut(rest, ".")
	name, err2 := base64.RawURLEncoding.DecodeString(encoded)
	until, err3 := strconv.ParseInt(expiry, 10, 64)
	now := k.now()
	if err != nil || err2 != nil || err3 != nil || now.Unix() >= until {
		return Holder{}, false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, t := range k.tokens {
		if t.Name == string(name) && t.good(now) && len(t.Key) == ed25519.PublicKeySize && ed25519.Verify(t.Key, []byte(text), signature) {
			return t.Holder, true
		}
	}
	return Holder{}, false
}
