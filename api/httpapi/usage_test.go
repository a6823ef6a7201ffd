package httpapi

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
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

func TestUsage(t *testing.T) {
	l := ledger{"2026-01": {
		{Job: "tj_3", Owner: "bob", Worker: "a:1", Seconds: 7200, USD: 1},
		{Job: "tj_2", Owner: "ann", Worker: "a:1", Seconds: 3600, USD: 0.5},
		{Job: "tj_2", Owner: "ann", Worker: "b:2", Seconds: 3600, USD: 3},
		{Job: "tj_1", Owner: "ann", Worker: "b:2", Seconds: 1800, USD: 1.5},
	}}
	h := serve(t, Config{Now: func() time.Time { return noon }}, &Usage{Store: l})
	resp, body := apitest.Request{Path: "/v1/usage?month=2026-01"}.Send(t, h.URL)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	apitest.Golden(t, "usage.golden.json", body)
	if _, now := (apitest.Request{Path: "/v1/usage"}).Send(t, h.URL); string(now) != string(body) {
		t.Errorf("this month is %s", now)
	}
	_, body = apitest.Request{Path: "/v1/usage?month=2025-12"}.Send(t, h.URL)
	apitest.Golden(t, "usage_none.golden.json", body)

	for _, month := range []string{"2026", "2026-13", "2026-1", "../x", "2026-01-01"} {
		apitest.Request{Path: "/v1/usage?month=" + month}.Problem(t, h.URL, http.StatusUnprocessableEntity, "invalid")
	}
	apitest.Request{Path: "/v1/usage?month=1999-12"}.Problem(t, h.URL, http.StatusInternalServerError, "internal")
	apitest.Request{Method: http.MethodPost, Path: "/v1/usage"}.Problem(t, h.URL, http.StatusMethodNotAllowed, "method_not_allowed")
}
