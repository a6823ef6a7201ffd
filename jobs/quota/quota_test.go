package quota

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	q, err := Parse(" alice:folds=4, usd=50,storage=20GB,weight=3 ; *:folds=2,weight=0.5,usd=10; bob:usd=none,folds=9;")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Quota{
		"alice": {Folds: 4, USD: 50, Storage: 20e9, Weight: 3},
		"bob":   {Folds: 9, Weight: 0.5},
		"carol": {Folds: 2, USD: 10, Weight: 0.5},
		"":      {Folds: 2, USD: 10, Weight: 0.5},
	} {
		if have := q.Of(name); have != want {
			t.Errorf("%s has %+v, want %+v", name, have, want)
		}
	}
	if names := strings.Join(q.Names(), " "); names != "alice bob" {
		t.Errorf("names: %s", names)
	}
	if !q.Any(func(q Quota) bool { return q.Storage > 0 }) || q.Any(func(q Quota) bool { return q.Folds > 9 }) {
		t.Error("Any does not ask each quota")
	}
}

// Without a setting nobody is limited, and all weigh the same.
func TestNone(t *testing.T) {
	t.Parallel()
	empty, err := Parse("")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []*Quotas{nil, {}, empty} {
		if have := q.Of("alice"); have != (Quota{Weight: 1}) {
			t.Errorf("%+v", have)
		}
		if q.Any(func(Quota) bool { return true }) {
			t.Error("someone is limited")
		}
	}
}

// What is wrong is named with the entry, the field, the value and the remedy.
func TestProblems(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"alice":                      `entry 1, "alice", is not of the form name:folds=4`,
		":folds=4":                   "is not of the form name:",
		"alice:":                     "is not of the form name:",
		"alice:folds":                `"folds" is not of the form field=value`,
		"alice:folds=":               `"folds=" is not of the form field=value`,
		"alice:folds=0":              `"alice": folds: "0" is not a whole number from 1`,
		"alice:folds=-3":             "folds",
		"alice:folds=1e9":            "folds",
		"alice:folds=2,folds=3":      "folds is stated twice",
		"alice:folds=2;alice:usd=3":  `"alice" has two entries`,
		"alice:usd=0":                "usd",
		"alice:usd=NaN":              "usd",
		"alice:usd=Inf":              "usd",
		"alice:usd=-1":               "usd",
		"alice:storage=lots":         `storage: "lots" is not a size such as 20GB`,
		"alice:storage=0":            "storage",
		"alice:storage=99999999999G": "storage",
		"alice:weight=none":          "weight",
		"alice:weight=0":             "weight",
		"alice:weight=NaN":           "weight",
		"alice:gpu=3":                `"gpu" is none of folds, usd, storage, weight`,
	} {
		_, err := Parse(setting)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
	_, err := Parse("a:x=1;b:folds=0;c")
	if n := strings.Count(err.Error(), "\n") + 1; n != 3 {
		t.Errorf("%d problems of three are told: %v", n, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("alice:folds=4,usd=50,storage=20GB,weight=3;*:folds=2,weight=1")
	f.Fuzz(func(t *testing.T, setting string) {
		q, err := Parse(setting)
		if err != nil {
			return
		}
		for _, name := range append(q.Names(), "nobody") {
			if have := q.Of(name); have.Weight < minWeight || have.Folds < 0 || have.USD < 0 || have.Storage < 0 {
				t.Errorf("%s: %+v", name, have)
			}
		}
	})
}
