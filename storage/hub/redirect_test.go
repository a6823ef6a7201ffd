package hub_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"polyid-trainer/storage/hub"
)

// TestRedirects holds that the token goes to the endpoint and nowhere else: not to
// another port, scheme or name of its host, nor by way of another server.
func TestRedirects(t *testing.T) {
	var got []string // who was asked, and with what
	var target string
	record := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			got = append(got, name+" "+r.Header.Get("Authorization"))
			w.Write([]byte(`{"name":"anna"}`))
		}
	}
	other := httptest.NewServer(record("other"))
	defer other.Close()
	secure := httptest.NewTLSServer(record("secure"))
	defer secure.Close()
	var back string
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, "between "+r.Header.Get("Authorization"))
		http.Redirect(w, r, back, http.StatusTemporaryRedirect)
	}))
	defer between.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/hub/api/whoami-v2", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/hub/moved", record("endpoint"))
	endpoint := httptest.NewServer(mux)
	defer endpoint.Close()
	back = other.URL
	c, err := hub.New(hub.Config{Endpoint: endpoint.URL + "/hub", Token: "hf_secret", CacheDir: t.TempDir(), Client: secure.Client(), Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []struct{ target, want string }{
		{"/hub/moved", "endpoint Bearer hf_secret"},
		{endpoint.URL + "/hub/moved", "endpoint Bearer hf_secret"},
		{other.URL, "other "},
		{strings.Replace(other.URL, "127.0.0.1", "localhost", 1), "other "},
		{secure.URL, "secure "},
		{between.URL, "between ;other "},
	} {
		got, target = nil, to.target
		c.User(t.Context()) // only what was sent matters
		if s := strings.Join(got, ";"); s != to.want {
			t.Errorf("redirected to %s: %q, want %q", to.target, s, to.want)
		}
	}
}
