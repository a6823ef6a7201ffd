// Package quota says how much of the service each token may use: folds at once,
// USD a month, stored bytes, and its weight when folds of several tokens compete.
//
// Whoever deals folds reads Folds and Weight; whoever takes a job compares USD with
// what the token has spent this month; whoever stores something asks for Storage.
// The administrator (access.Admin) has quotas too, if they are stated.
package quota

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// Quota is what one token may use. A zero field is no limit, but for Weight, which
// is 1 where nothing is stated.
type Quota struct {
	Folds   int     `json:"folds"`   // that train at once
	USD     float64 `json:"usd"`     // that the jobs of a calendar month (UTC) may cost
	Storage int64   `json:"storage"` // bytes of datasets, jobs and Hub repositories
	Weight  float64 `json:"weight"`  // share of the workers, relative to other tokens
}

// Everyone is the name under which the quota of all tokens stands that have none
// of their own.
const Everyone = "*"

// Bounds of what can be stated.
const (
	maxFolds  = 1_000_000
	maxUSD    = 1e9
	maxWeight = 1000.0
	minWeight = 0.001
)

// Quotas are the quotas of all tokens. The zero value and nil limit nobody.
type Quotas struct {
	byName map[string]stated
}

// stated is a quota with the names of the fields that were stated: a field that a
// token's own entry leaves out is that of Everyone.
type stated struct {
	Quota
	fields []string
}

// Parse reads the setting QUOTAS, entries "name:field=value,…" separated by
// semicolons:
//
//	alice:folds=4,usd=50,storage=20GB,weight=3;*:folds=2,weight=1
//
// The value none lifts a limit that the entry of "*" sets. The error lists
// everything that is wrong.
func Parse(setting string) (*Quotas, error) {
	q := &Quotas{byName: map[string]stated{}}
	var errs []error
	for i, entry := range strings.Split(setting, ";") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, list, ok := cutLast(entry)
		if !ok {
			errs = append(errs, fmt.Errorf("entry %d, %q, is not of the form name:folds=4,usd=50,storage=20GB,weight=3", i+1, entry))
			continue
		}
		if _, twice := q.byName[name]; twice {
			errs = append(errs, fmt.Errorf("%q has two entries: write its limits into one", name))
			continue
		}
		s, err := parseFields(list)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", name, err))
		}
		q.byName[name] = s
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return q, nil
}

// cutLast separates the name of an entry from its fields.
func cutLast(entry string) (name, fields string, ok bool) {
	i := strings.LastIndexByte(entry, ':')
	if i < 0 {
		return "", "", false
	}
	name, fields = strings.TrimSpace(entry[:i]), strings.TrimSpace(entry[i+1:])
	return name, fields, name != "" && fields != ""
}

// parseFields reads "folds=4,usd=50".
func parseFields(list string) (s stated, err error) {
	var errs []error
	for field := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(field, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || value == "":
			errs = append(errs, fmt.Errorf("%q is not of the form field=value", strings.TrimSpace(field)))
			continue
		case slices.Contains(s.fields, name):
			errs = append(errs, fmt.Errorf("%s is stated twice", name))
			continue
		}
		s.fields = append(s.fields, name)
		if value == "none" && name != "weight" {
			value = "" // no limit
		}
		if err := s.set(name, value); err != nil {
			errs = append(errs, err)
		}
	}
	return s, errors.Join(errs...)
}

// set reads the value of one field; "" is no limit.
func (s *stated) set(name, value string) error {
	bad := func(want string) error { return fmt.Errorf("%s: %q is not %s", name, value, want) }
	switch name {
	case "folds":
		n, err := strconv.Atoi(value)
		if value != "" && (err != nil || n < 1 || n > maxFolds) {
			return bad(fmt.Sprintf("a whole number from 1 to %d, nor none", maxFolds))
		}
		s.Folds = n
	case "usd":
		n, err := strconv.ParseFloat(value, 64)
		if value != "" && (err != nil || !(n > 0 && n <= maxUSD)) {
			return bad(fmt.Sprintf("a number above 0 and at most %.0f, nor none", maxUSD))
		}
		s.USD = n
	case "storage":
		if value == "" {
			s.Storage = 0
			return nil
		}
		n, err := humanize.ParseBytes(value)
		if err != nil || n == 0 || n > math.MaxInt64 {
			return bad("a size such as 20GB, nor none")
		}
		s.Storage = int64(n)
	case "weight":
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !(n >= minWeight && n <= maxWeight) {
			return bad(fmt.Sprintf("a number from %v to %v", minWeight, maxWeight))
		}
		s.Weight = n
	default:
		return fmt.Errorf("%q is none of folds, usd, storage, weight", name)
	}
	return nil
}

// Of is the quota of a token, with the fields of "*" where its own entry states
// none. Weight is never 0.
func (q *Quotas) Of(name string) Quota {
	var out Quota
	if q != nil {
		own := q.byName[name]
		out = q.byName[Everyone].Quota
		for _, field := range own.fields {
			switch field {
			case "folds":
				out.Folds = own.Folds
			case "usd":
				out.USD = own.USD
			case "storage":
				out.Storage = own.Storage
			case "weight":
				out.Weight = own.Weight
			}
		}
	}
	if out.Weight == 0 {
		out.Weight = 1
	}
	return out
}

// Names are the names that have entries of their own, sorted, without Everyone.
func (q *Quotas) Names() []string {
	if q == nil {
		return nil
	}
	var names []string
	for name := range q.byName {
		if name != Everyone {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Any reports whether some token has a limit that limited selects.
func (q *Quotas) Any(limited func(Quota) bool) bool {
	if q == nil {
		return false
	}
	for name := range q.byName {
		if limited(q.Of(name)) {
			return true
		}
	}
	return false
}
