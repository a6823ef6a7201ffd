package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/metrics"

	"github.com/labstack/echo/v4"
)

// Metrics are for who may ask, and count whom they refused.
func TestMetrics(t *testing.T) {
	m := metrics.New("v1", nil)
	h := serve(t, Config{Tokens: keyring("ann", "s3cret"), Around: []echo.MiddlewareFunc{m.HTTP}}, pings, &Metrics{m.Handler()})
	auth := map[string]string{"Authorization": "Bearer s3cret"}
	apitest.Request{Path: "/metrics"}.Problem(t, h.URL, http.StatusUnauthorized, "unauthorized")
	apitest.Request{Path: "/v1/ping", Header: auth}.Send(t, h.URL)
	apitest.Request{Path: "/v1/break", Header: auth}.Send(t, h.URL)
	apitest.Request{Path: "/v1/nothing", Header: auth}.Send(t, h.URL)
	resp, body := apitest.Request{Path: "/metrics", Header: auth}.Send(t, h.URL)
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	for _, line := range []string{
		`{code="200",method="GET",route="/v1/ping"} 1`,
		`{code="500",method="GET",route="/v1/break"} 1`,
		`{code="401",method="GET",route="/metrics"} 1`,
		`{code="404",method="GET",route="none"} 1`,
	} {
		if !strings.Contains(string(body), "polyid_http_request_duration_seconds_count"+line) {
			t.Errorf("there is no %s", line)
		}
	}
}
