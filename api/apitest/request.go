// Package apitest holds what the tests of several packages of the API need: requests,
// golden answers, and the service and the models behind a server.
package apitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/jobs"
)

// Request is one to a test server.
type Request struct {
	Method, Path string // the method is GET if left out
	Header       map[string]string
	Host         string // in place of the address
	Body         string
}

// NewRequest is a request with a body, of JSON unless header says otherwise, which
// is names and values in turn. An empty body is none.
func NewRequest(method, path, body string, header ...string) Request {
	r := Request{Method: method, Path: path, Body: body, Header: map[string]string{}}
	if body != "" {
		r.Header["Content-Type"] = "application/json"
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = header[i+1]
	}
	return r
}

// Send sends the request and reads the whole answer. Redirects are not followed.
func (r Request) Send(t *testing.T, base string) (*http.Response, []byte) {
	t.Helper()
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, base+r.Path, strings.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	if r.Host != "" {
		req.Host = r.Host
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// Problem is an answer that says what is wrong, as RFC 9457 has it.
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   jobs.Code      `json:"code"`
	Errors []jobs.Problem `json:"errors"`
}

// ProblemType is the media type of problems.
const ProblemType = "application/problem+json"

// Problem sends a request that must be answered by a Problem.
func (r Request) Problem(t *testing.T, base string, status int, code string) Problem {
	t.Helper()
	resp, body := r.Send(t, base)
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%s %s answers %d %s, which is no problem", r.Method, r.Path, resp.StatusCode, body)
	}
	if resp.StatusCode != status || p.Status != status || string(p.Code) != code || resp.Header.Get("Content-Type") != ProblemType ||
		p.Title == "" || p.Detail == "" || p.Errors == nil || p.Type != "about:blank" {
		t.Errorf("%s %s answers %d (%s) %s, want %d %s", r.Method, r.Path, resp.StatusCode, resp.Header.Get("Content-Type"), body, status, code)
	}
	return p
}

// HTML gets a page as a browser does.
func HTML(t *testing.T, url, path string, status int) string {
	t.Helper()
	resp, body := Request{Path: path, Header: map[string]string{"Accept": "text/html"}}.Send(t, url)
	if resp.StatusCode != status || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%s: %d %s\n%s", path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	return string(body)
}

// Has fails where a page lacks a text, or holds one that starts with "!".
func Has(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		text, not := strings.CutPrefix(text, "!")
		if strings.Contains(page, text) == not {
			t.Errorf("a page where %q is to be: %v\n%s", text, !not, page)
		}
	}
}

// Golden compares JSON with a file, or with UPDATE=1 writes it.
func Golden(t *testing.T, file string, have []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, bytes.TrimSpace(have), "", "  "); err != nil {
		t.Fatalf("%s: %v: %s", file, err, have)
	}
	pretty.WriteByte('\n')
	path := filepath.Join("testdata", file)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, pretty.Bytes()) {
		t.Errorf("%s (write it with UPDATE=1) wants\n%s\nhave\n%s", path, want, &pretty)
	}
}
