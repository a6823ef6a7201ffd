package app

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs/quota"
	"polyid-trainer/jobs/redisjobs"
)

// What QUOTAS say reaches those who deal folds, with the fields of "*" where an
// entry has none.
func TestAllowances(t *testing.T) {
	quotas, err := quota.Parse("alice:folds=4,weight=3;bob:usd=5;*:folds=2")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]redisjobs.Allowance{"alice": {Folds: 4, Weight: 3}, "bob": {Folds: 2, Weight: 1}, "*": {Folds: 2, Weight: 1}}
	if got := allowances(quotas); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := allowances(nil); !reflect.DeepEqual(got, map[string]redisjobs.Allowance{"*": {Weight: 1}}) {
		t.Errorf("without quotas: %+v", got)
	}
	if err := (Config{Quotas: "alice:folds=none of it"}).Check(); err == nil || !strings.Contains(err.Error(), "QUOTAS") {
		t.Errorf("a bad setting: %v", err)
	}
}

// A process serves schedules, and states the quotas in its Redis.
func TestSharing(t *testing.T) {
	a, _ := start(t, Config{Quotas: "*:folds=2"})
	if status, body := get(t, a.URL()+"/v1/schedules"); status != 200 || !strings.Contains(body, `"data":[]`) {
		t.Errorf("%d %s", status, body)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		limit, err := a.redis.HGet(t.Context(), "polyid:{fold}:limits", "*").Result()
		if limit == "2" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the limit is %q, %v", limit, err)
		}
	}
}
