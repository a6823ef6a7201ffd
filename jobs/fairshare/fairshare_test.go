package fairshare_test

import (
	"testing"
	"time"

	"polyid-trainer/jobs/fairshare"
)

func TestNext(t *testing.T) {
	for _, test := range []struct {
		name   string
		shares []fairshare.Share
		want   int
	}{
		{"nobody", nil, -1},
		{"nothing waits", []fairshare.Share{{Token: "a", Running: 1}}, -1},
		{"least served", []fairshare.Share{{Token: "a", Waiting: 1, Served: 20}, {Token: "b", Waiting: 1, Served: 10}}, 1},
		{"by weight", []fairshare.Share{{Token: "a", Waiting: 1, Served: 20, Weight: 3}, {Token: "b", Waiting: 1, Served: 10}}, 0},
		{"what has begun counts", []fairshare.Share{{Token: "a", Waiting: 1, Running: 1, Begun: 60}, {Token: "b", Waiting: 1, Served: 10}}, 1},
		{"level: who runs less", []fairshare.Share{{Token: "a", Waiting: 1, Running: 2, Served: 10}, {Token: "b", Waiting: 1, Running: 1, Served: 10}}, 1},
		{"level: by name", []fairshare.Share{{Token: "b", Waiting: 1}, {Token: "a", Waiting: 1}}, 1},
		{"not above a limit", []fairshare.Share{{Token: "a", Waiting: 1, Running: 2, Limit: 2}, {Token: "b", Waiting: 1, Served: 10}}, 1},
		{"all at their limits", []fairshare.Share{{Token: "a", Waiting: 1, Running: 2, Limit: 2}}, -1},
	} {
		if got := fairshare.Next(test.shares); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// Whoever comes back is level with the least served who could run more, a minute
// ahead, and is forgiven nothing.
func TestCredit(t *testing.T) {
	shares := []fairshare.Share{
		{Token: "limited", Served: 1, Running: 1, Limit: 1},
		{Token: "least", Served: 400, Weight: 2},
		{Token: "more", Served: 1000},
		{Token: "comes", New: true, Served: 30, Weight: 3},
		{Token: "used much", New: true, Served: 5000},
	}
	if got := fairshare.Credit(shares); len(got) != 1 || got[3] != 3*200-60-30 {
		t.Errorf("charged %v", got)
	}
	if got := fairshare.Credit(shares[3:]); len(got) != 0 {
		t.Errorf("with nobody at work, charged %v", got)
	}
}

func TestServed(t *testing.T) {
	byAge := make([]float64, fairshare.Minutes)
	byAge[0], byAge[10], byAge[20] = 60, 60, 60
	if got := fairshare.Served(byAge); got != 60+30+15 {
		t.Errorf("%v", got)
	}
}

func TestAhead(t *testing.T) {
	shares := []fairshare.Share{{Token: "a", Waiting: 3}, {Token: "b", Waiting: 100, Served: 90}, {Token: "c", Waiting: 1, Limit: 1, Running: 1}}
	for _, test := range []struct {
		token             string
		place, most, want int
	}{
		{"a", 0, 100, 0}, {"a", 1, 100, 1}, {"a", 2, 100, 2}, // c, and then b: a counts 120 by then
		{"b", 0, 100, 3}, {"b", 99, 100, 4}, {"b", 99, 2, 2},
	} {
		if got := fairshare.Ahead(shares, test.token, test.place, test.most); got != test.want {
			t.Errorf("the %d-th of %s: %d, want %d", test.place, test.token, got, test.want)
		}
	}
	if shares[0].Waiting != 3 {
		t.Error("the shares were changed")
	}
}

// The order of one token's work: by priority; then as it was asked for, except
// that what is short overtakes what is long.
func TestPlace(t *testing.T) {
	hour := time.Hour
	in := []struct {
		name  string
		place float64
	}{
		{"high, late", fairshare.Place(fairshare.High, noon.Add(9*hour), hour, 0)},
		{"first of two equal jobs, first fold", fairshare.Place(fairshare.Normal, noon, hour, 0)},
		{"first of two equal jobs, last fold", fairshare.Place(fairshare.Normal, noon, hour, 19)},
		{"second of two equal jobs", fairshare.Place(fairshare.Normal, noon.Add(time.Second), hour, 0)},
		{"short, later than the long one", fairshare.Place(fairshare.Normal, noon.Add(2*hour), hour/6, 0)},
		{"long", fairshare.Place(fairshare.Normal, noon, 10*hour, 0)},
		{"short, later than the long one takes", fairshare.Place(fairshare.Normal, noon.Add(11*hour), hour/6, 0)},
		{"low, long before", fairshare.Place(fairshare.Low, noon.Add(-100*24*hour), hour, 0)},
	}
	for i := range in[1:] {
		if in[i].place >= in[i+1].place {
			t.Errorf("%q does not go before %q", in[i].name, in[i+1].name)
		}
	}
}
