package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/jobs/tokens"

	"github.com/danielgtaylor/huma/v2"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// area is routes made for a test.
type area func(*Server)

func (a area) Routes(s *Server) { a(s) }

// serve starts a server on loopback.
func serve(t *testing.T, c Config, areas ...Area) *httptest.Server {
	t.Helper()
	h := httptest.NewServer(New(c, areas...))
	t.Cleanup(h.Close)
	return h
}

// keyring holds tokens of admins, by name and secret, at noon.
func keyring(namesAndSecrets ...string) *tokens.Keyring {
	var stated []tokens.Stated
	for pair := range slices.Chunk(namesAndSecrets, 2) {
		stated = append(stated, tokens.Stated{Name: pair[0], Secret: pair[1]})
	}
	return tokens.New(nil, stated, func() time.Time { return noon }, nil)
}

type pong struct{ Body struct{ Name string } }

// pings is an area that says who asked.
var pings = area(func(s *Server) {
	route(s, huma.Operation{OperationID: "ping", Method: http.MethodGet, Path: "/v1/ping"}, func(ctx context.Context, _ *struct{}) (*pong, error) {
		var p pong
		p.Body.Name = Principal(ctx)
		return &p, nil
	})
	route(s, huma.Operation{OperationID: "set", Method: http.MethodPost, Path: "/v1/ping"}, func(context.Context, *struct {
		Body struct {
			N []int `json:"n" maxItems:"2"`
		}
	}) (*pong, error) {
		return &pong{}, nil
	})
	route(s, huma.Operation{OperationID: "break", Method: http.MethodGet, Path: "/v1/break"}, func(context.Context, *struct{}) (*pong, error) {
		return nil, errors.New("secret cause")
	})
	route(s, huma.Operation{OperationID: "panic", Method: http.MethodGet, Path: "/v1/panic"}, func(context.Context, *struct{}) (*pong, error) {
		panic("secret cause")
	})
})

func TestAuth(t *testing.T) {
	ring := keyring("ann", "s3cret", "bob", "hunter2")
	h := serve(t, Config{Tokens: ring, Now: func() time.Time { return noon }}, pings)
	session := func(k *tokens.Keyring, secret string, until time.Time) string {
		c, _ := k.NewSession(secret, until)
		return c
	}
	good := session(ring, "hunter2", noon.Add(time.Hour))
	for name, c := range map[string]struct {
		header map[string]string
		want   string // name, "" is 401
	}{
		"nothing":            {nil, ""},
		"token":              {map[string]string{"Authorization": "Bearer s3cret"}, "ann"},
		"another token":      {map[string]string{"Authorization": "bearer hunter2"}, "bob"},
		"wrong token":        {map[string]string{"Authorization": "Bearer s3cre"}, ""},
		"a name":             {map[string]string{"Authorization": "Bearer ann"}, ""},
		"empty token":        {map[string]string{"Authorization": "Bearer "}, ""},
		"basic":              {map[string]string{"Authorization": "Basic s3cret"}, ""},
		"session":            {map[string]string{"Cookie": sessionCookie + "=" + good}, "bob"},
		"session, bad token": {map[string]string{"Cookie": sessionCookie + "=" + good, "Authorization": "Bearer x"}, ""},
		"forged session":     {map[string]string{"Cookie": sessionCookie + "=" + session(keyring("bob", "x"), "x", noon.Add(time.Hour))}, ""},
		"old session":        {map[string]string{"Cookie": sessionCookie + "=" + session(ring, "hunter2", noon)}, ""},
		"longer session":     {map[string]string{"Cookie": sessionCookie + "=" + strings.Replace(good, ".1", ".2", 1)}, ""},
		"token as session":   {map[string]string{"Cookie": sessionCookie + "=s3cret"}, ""},
		"no session":         {map[string]string{"Cookie": sessionCookie + "=..."}, ""},
	} {
		r := apitest.Request{Path: "/v1/ping", Header: c.header}
		if c.want == "" {
			r.Problem(t, h.URL, http.StatusUnauthorized, "unauthorized")
			continue
		}
		if resp, body := r.Send(t, h.URL); resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"`+c.want+`"`) {
			t.Errorf("%s: %d %s, want %s", name, resp.StatusCode, body, c.want)
		}
	}
	// Nothing is told to whom is not let in, not even what exists.
	for _, path := range []string{"/v1/nothing", "/openapi.json", "/docs", "/docs/swagger-ui.css"} {
		apitest.Request{Path: path}.Problem(t, h.URL, http.StatusUnauthorized, "unauthorized")
	}
	for _, path := range []string{"/livez", "/readyz", "/login"} {
		if resp, body := (apitest.Request{Path: path}).Send(t, h.URL); resp.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d %s", path, resp.StatusCode, body)
		}
	}
	resp, _ := apitest.Request{Path: "/docs?x=1", Header: map[string]string{"Accept": "text/html,*/*"}}.Send(t, h.URL)
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || to != "/login?next=%2Fdocs%3Fx%3D1" {
		t.Errorf("a page sends to %s with %d", to, resp.StatusCode)
	}
}

func TestLogin(t *testing.T) {
	h := serve(t, Config{Tokens: keyring("ann", "s3cret")}, pings)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	enter := func(token, next string) apitest.Request {
		return apitest.Request{Method: http.MethodPost, Path: "/login", Header: form, Body: url.Values{"token": {token}, "next": {next}}.Encode()}
	}
	resp, _ := enter("s3cret", "/jobs").Send(t, h.URL)
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/jobs" || len(cookies) != 1 {
		t.Fatalf("logging in: %d to %s with %d cookies", resp.StatusCode, resp.Header.Get("Location"), len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || strings.Contains(c.Value, "s3cret") {
		t.Errorf("the cookie is %v", c)
	}
	session := map[string]string{"Cookie": c.Name + "=" + c.Value}
	if resp, body := (apitest.Request{Path: "/v1/ping", Header: session}).Send(t, h.URL); !strings.Contains(string(body), "ann") {
		t.Errorf("with the session: %d %s", resp.StatusCode, body)
	}
	enter("wrong", "").Problem(t, h.URL, http.StatusUnauthorized, "unauthorized")
	enter("", "").Problem(t, h.URL, http.StatusUnauthorized, "unauthorized")
	for _, next := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "javascript:x", ""} {
		if resp, _ := enter("s3cret", next).Send(t, h.URL); resp.Header.Get("Location") != "/" {
			t.Errorf("next=%s goes to %s", next, resp.Header.Get("Location"))
		}
	}
	if resp, _ := (apitest.Request{Method: http.MethodPost, Path: "/logout", Header: session}).Send(t, h.URL); len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logging out sets %v", resp.Cookies())
	}
	// Guessing is slow: 10 tries at once, of which 7 are spent.
	var last *http.Response
	for range 9 {
		last, _ = enter("guess", "").Send(t, h.URL)
	}
	if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
		t.Errorf("after many tries: %d, Retry-After %q", last.StatusCode, last.Header.Get("Retry-After"))
	}
}

// Who may send what from where: pages of other sites may not.
func TestSameSite(t *testing.T) {
	open := serve(t, Config{}, pings)
	closed := serve(t, Config{Tokens: keyring("ann", "s3cret")}, pings)
	port := open.URL[strings.LastIndex(open.URL, ":"):]
	token := func(h map[string]string) map[string]string {
		h["Authorization"] = "Bearer s3cret"
		return h
	}
	for name, c := range map[string]struct {
		server *httptest.Server
		r      apitest.Request
		want   int
	}{
		"plain":                     {open, apitest.Request{}, 200},
		"localhost":                 {open, apitest.Request{Host: "localhost" + port}, 200},
		"ipv6":                      {open, apitest.Request{Host: "[::1]" + port}, 200},
		"rebound name":              {open, apitest.Request{Host: "evil.example" + port}, 403},
		"address of the net":        {open, apitest.Request{Host: "192.168.1.2" + port}, 403},
		"own origin":                {open, apitest.Request{Header: map[string]string{"Origin": open.URL}}, 200},
		"foreign origin":            {open, apitest.Request{Header: map[string]string{"Origin": "https://evil.example"}}, 403},
		"null origin":               {open, apitest.Request{Header: map[string]string{"Origin": "null"}}, 403},
		"foreign write":             {open, apitest.Request{Method: "POST", Body: `{"n":[1]}`, Header: map[string]string{"Origin": "https://evil.example"}}, 403},
		"token, any host":           {closed, apitest.Request{Host: "api.example", Header: token(map[string]string{})}, 200},
		"token, foreign read":       {closed, apitest.Request{Header: token(map[string]string{"Origin": "https://evil.example"})}, 200},
		"token, foreign write":      {closed, apitest.Request{Method: "POST", Body: `{"n":[1]}`, Header: token(map[string]string{"Origin": "https://evil.example"})}, 403},
		"token, cross-site by word": {closed, apitest.Request{Method: "POST", Body: `{"n":[1]}`, Header: token(map[string]string{"Sec-Fetch-Site": "cross-site"})}, 403},
		"token, own write":          {closed, apitest.Request{Method: "POST", Body: `{"n":[1]}`, Header: token(map[string]string{"Origin": closed.URL})}, 200},
		"foreign login":             {closed, apitest.Request{Method: "POST", Path: "/login", Body: "token=s3cret", Header: map[string]string{"Origin": "https://evil.example"}}, 403},
	} {
		if c.r.Path == "" {
			c.r.Path = "/v1/ping"
		}
		if resp, body := c.r.Send(t, c.server.URL); resp.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", name, resp.StatusCode, body, c.want)
		}
	}
}

func TestProblems(t *testing.T) {
	var log bytes.Buffer
	h := serve(t, Config{Log: slog.New(slog.NewJSONHandler(&log, nil)), Limits: Limits{JSON: 100}}, pings)
	apitest.Request{Path: "/v1/nothing"}.Problem(t, h.URL, http.StatusNotFound, "not_found")
	apitest.Request{Method: http.MethodDelete, Path: "/v1/ping"}.Problem(t, h.URL, http.StatusMethodNotAllowed, "method_not_allowed")
	post := func(body string) apitest.Request {
		return apitest.Request{Method: http.MethodPost, Path: "/v1/ping", Body: body}
	}
	post(`{"n":`).Problem(t, h.URL, http.StatusBadRequest, "malformed")
	post(``).Problem(t, h.URL, http.StatusBadRequest, "malformed")
	post(`{"n":[1],"x":"`+strings.Repeat("x", 200)+`"}`).Problem(t, h.URL, http.StatusRequestEntityTooLarge, "too_large")
	if p := post(`{"n":[1,"x"]}`).Problem(t, h.URL, http.StatusUnprocessableEntity, "invalid"); len(p.Errors) != 1 || p.Errors[0].Pointer != "/n/1" {
		t.Errorf("the problem is at %+v, want /n/1", p.Errors)
	}
	if p := post(`{"n":[1,2,3],"m":1}`).Problem(t, h.URL, http.StatusUnprocessableEntity, "invalid"); len(p.Errors) != 2 {
		t.Errorf("not every problem is listed: %+v", p.Errors)
	}
	// What is our own fault is logged once, with the request's id, and not told.
	for _, path := range []string{"/v1/break", "/v1/panic"} {
		log.Reset()
		r := apitest.Request{Path: path, Header: map[string]string{"X-Request-Id": "mine"}}
		if p := r.Problem(t, h.URL, http.StatusInternalServerError, "internal"); p.Detail != "internal error" {
			t.Errorf("%s tells %q", path, p.Detail)
		}
		if n := strings.Count(log.String(), "secret cause"); n != 1 || !strings.Contains(log.String(), `"request":"mine"`) {
			t.Errorf("%s is logged %d times: %s", path, n, log.String())
		}
	}
}

func TestHeaders(t *testing.T) {
	h := serve(t, Config{}, pings)
	for _, path := range []string{"/v1/ping", "/v1/nothing", "/docs", "/livez", "/docs/swagger-ui-bundle.js"} {
		resp, _ := apitest.Request{Path: path, Header: map[string]string{"X-Request-Id": "a b\tc"}}.Send(t, h.URL)
		for _, name := range []string{"X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy", "Referrer-Policy", "X-Request-Id"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("%s has no %s", path, name)
			}
		}
		if id := resp.Header.Get("X-Request-Id"); !strings.HasPrefix(id, "req_") {
			t.Errorf("%s keeps the id %q", path, id)
		}
	}
}

func TestRate(t *testing.T) {
	h := serve(t, Config{Limits: Limits{Rate: 0.001, Burst: 3}}, pings)
	for range 3 {
		if resp, _ := (apitest.Request{Path: "/v1/ping"}).Send(t, h.URL); resp.StatusCode != http.StatusOK {
			t.Fatalf("refused with %d", resp.StatusCode)
		}
	}
	apitest.Request{Path: "/v1/ping"}.Problem(t, h.URL, http.StatusTooManyRequests, "rate_limited")
}

func TestReady(t *testing.T) {
	down := errors.New("dial tcp 10.0.0.7:6379: refused")
	h := serve(t, Config{Ready: map[string]func(context.Context) error{
		"redis":   func(context.Context) error { return down },
		"storage": func(context.Context) error { return nil },
	}})
	resp, body := apitest.Request{Path: "/readyz"}.Send(t, h.URL)
	var a Health
	if err := json.Unmarshal(body, &a); err != nil || resp.StatusCode != http.StatusServiceUnavailable || a.Status != "unavailable" || a.Checks["redis"] != "away" || a.Checks["storage"] != "ok" {
		t.Errorf("not ready: %d %s, %v", resp.StatusCode, body, err)
	}
	if strings.Contains(string(body), "10.0.0.7") {
		t.Errorf("the answer tells an address: %s", body)
	}
}

// The pages of the docs need nothing from elsewhere and no inline script.
func TestDocs(t *testing.T) {
	h := serve(t, Config{})
	resp, body := apitest.Request{Path: "/docs"}.Send(t, h.URL)
	if resp.StatusCode != http.StatusOK || strings.Contains(string(body), "//cdn") || strings.Contains(string(body), "<script>") {
		t.Errorf("docs: %d %s", resp.StatusCode, body)
	}
	for _, policy := range strings.Split(resp.Header.Get("Content-Security-Policy"), ";") {
		if strings.Contains(policy, "script-src") && strings.TrimSpace(policy) != "script-src 'self'" {
			t.Errorf("scripts may come from %s", policy)
		}
	}
	assets := map[string]string{"/docs/swagger-ui.css": "text/css", "/docs/swagger-ui-bundle.js": "javascript", "/openapi.json": "json"}
	for _, m := range regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(string(body), -1) {
		assets[m[1]] = map[string]string{".js": "javascript", ".css": "text/css", ".svg": "image/svg"}[path.Ext(m[1])]
	}
	if len(assets) < 6 {
		t.Errorf("the page names no script of its own: %s", body)
	}
	for path, kind := range assets {
		resp, body := apitest.Request{Path: path}.Send(t, h.URL)
		if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Type"), kind) || len(body) < 50 {
			t.Errorf("%s: %d, %s, %d bytes", path, resp.StatusCode, resp.Header.Get("Content-Type"), len(body))
		}
	}
}
