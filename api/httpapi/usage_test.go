package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"polyid-trainer/jobs/records"
)

// ledger is usage by month.
type ledger map[string][]records.Charge

func (l ledger) Usage(_ context.Context, month string) ([]records.Charge, error) {
	if month == "1999-12" {
		return nil, errors.New("secret cause")
	}
	return l[month], nil
}

// golden compares JSON with a file, or with UPDATE=1 writes it.
func golden(t *testing.T, file string, have []byte) {
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

func TestUsage(t *testing.T) {
	l := ledger{"2026-01": {
		{Job: "tj_3", Owner: "bob", Worker: "a:1", Seconds: 7200, USD: 1},
		{Job: "tj_2", Owner: "ann", Worker: "a:1", Seconds: 3600, USD: 0.5},
		{Job: "tj_2", Owner: "ann", Worker: "b:2", Seconds: 3600, USD: 3},
		{Job: "tj_1", Owner: "ann", Worker: "b:2", Seconds: 1800, USD: 1.5},
	}}
	h := serve(t, Config{Now: func() time.Time { return noon }}, &Usage{Store: l})
	resp, body := request{path: "/v1/usage?month=2026-01"}.send(t, h.URL)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	golden(t, "usage.golden.json", body)
	if _, now := (request{path: "/v1/usage"}).send(t, h.URL); string(now) != string(body) {
		t.Errorf("this month is %s", now)
	}
	_, body = request{path: "/v1/usage?month=2025-12"}.send(t, h.URL)
	golden(t, "usage_none.golden.json", body)

	for _, month := range []string{"2026", "2026-13", "2026-1", "../x", "2026-01-01"} {
		request{path: "/v1/usage?month=" + month}.problem(t, h.URL, http.StatusUnprocessableEntity, "invalid")
	}
	request{path: "/v1/usage?month=1999-12"}.problem(t, h.URL, http.StatusInternalServerError, "internal")
	request{method: http.MethodPost, path: "/v1/usage"}.problem(t, h.URL, http.StatusMethodNotAllowed, "method_not_allowed")
}
