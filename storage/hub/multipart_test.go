package hub_test

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
)

// TestParts uploads in parts, of which the second fails at first, and only it
// is sent again. Nothing but the call that completes carries a body elsewhere.
func TestParts(t *testing.T) {
	var mu sync.Mutex
	puts := map[string]int{}
	s := serve(t, hubserver.Config{Tokens: []hubserver.Token{{Name: "anna", Secret: token}}, PartSize: 1 << 20}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, part, ok := strings.Cut(r.URL.Path, "/parts/"); ok {
				mu.Lock()
				puts[part]++
				first := puts[part] == 1
				mu.Unlock()
				if r.Header.Get("Authorization") != "" {
					t.Error("the token went to an address that needs none")
				}
				if part == "2" && first {
					w.WriteHeader(http.StatusBadGateway)
					return
				}
			}
			h.ServeHTTP(w, r)
		})
	})
	c := client(t, s, token)
	create(t, c, "acme/tg")
	want := noise(3<<20 + 12345)
	publish(t, c, "acme/tg", "", hub.Bytes("w.safetensors", want), hub.Bytes("small.bin", []byte("small")))
	name, err := c.Download(t.Context(), "acme/tg", "main", "w.safetensors", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file differs (%v)", err)
	}
	if len(puts) != 4 || puts["1"] != 1 || puts["2"] != 2 || puts["3"] != 1 || puts["4"] != 1 {
		t.Errorf("parts sent: %v", puts)
	}
}

// TestPromoteByName holds that what the Hub stores by LFS is not sent again to
// be promoted, nor fetched.
func TestPromoteByName(t *testing.T) {
	var mu sync.Mutex
	var moved []string
	s := serve(t, hubserver.Config{}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/_lfs/") || strings.Contains(r.URL.Path, "/resolve/") {
				mu.Lock()
				moved = append(moved, r.Method+" "+r.URL.Path)
				mu.Unlock()
			}
			h.ServeHTTP(w, r)
		})
	})
	c := client(t, s, "")
	create(t, c, "acme/tg")
	one := publish(t, c, "acme/tg", "", hub.Bytes("w.bin", noise(2<<20)), hub.Bytes("odd.weights", noise(1<<20+1)))
	publish(t, c, "acme/tg", "", hub.Bytes("w.bin", []byte("two")), hub.Bytes("odd.weights", []byte("two")))
	moved = nil
	if _, err := c.Promote(t.Context(), "acme/tg", one, "main"); err != nil {
		t.Fatal(err)
	}
	if len(moved) > 0 {
		t.Errorf("content moved: %q", moved)
	}
	name, err := c.Download(t.Context(), "acme/tg", "main", "w.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, noise(2<<20)) {
		t.Errorf("main does not hold what was promoted (%v)", err)
	}
}
