package redisjobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"polyid-trainer/jobs/fairshare"
)

var errScript = errors.New("a script answered in another form than it does")

// readSight reads the answer of lookScript.
func readSight(raw []any) (*sight, error) {
	if len(raw) != 3 {
		return nil, errScript
	}
	now, ok := raw[0].(int64)
	tokens, ok2 := raw[1].([]any)
	minutes, ok3 := raw[2].([]any)
	if !ok || !ok2 || !ok3 {
		return nil, errScript
	}
	s := &sight{now: time.UnixMilli(now)}
	served, err := readServed(minutes)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		if err := s.readToken(t, served); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.shares, func(a, b fairshare.Share) int { return strings.Compare(a.Token, b.Token) })
	return s, nil
}

// readToken reads what lookScript tells of one token.
func (s *sight) readToken(raw any, served map[string][]float64) error {
	fields, ok := raw.([]any)
	if !ok || len(fields) != 6 {
		return errScript
	}
	token, ok := fields[0].(string)
	waiting, ok2 := fields[1].(int64)
	known, ok3 := fields[4].(int64)
	runs, ok4 := fields[5].([]any)
	if !ok || !ok2 || !ok3 || !ok4 {
		return errScript
	}
	limit, err := strconv.ParseFloat(fmt.Sprint(fields[2]), 64)
	if err != nil {
		return errScript
	}
	weight, err := strconv.ParseFloat(fmt.Sprint(fields[3]), 64)
	if err != nil {
		return errScript
	}
	share := fairshare.Share{
		Token: token, Weight: weight, Limit: int(limit), Waiting: int(waiting), Running: len(runs),
		Served: fairshare.Served(served[token]), New: known == 0,
	}
	for _, text := range runs {
		var r run
		if text, ok := text.(string); !ok || json.Unmarshal([]byte(text), &r) != nil {
			return errScript
		}
		share.Begun += fairshare.Begun(s.now.Sub(time.UnixMilli(r.Began)))
		s.runs = append(s.runs, r)
	}
	s.shares = append(s.shares, share)
	return nil
}

// readServed reads the worker-seconds of each token by the age of the minute.
func readServed(minutes []any) (map[string][]float64, error) {
	served := map[string][]float64{}
	for age, m := range minutes {
		pairs, ok := m.([]any)
		if !ok || len(pairs)%2 != 0 {
			return nil, errScript
		}
		for i := 0; i < len(pairs); i += 2 {
			token, ok := pairs[i].(string)
			seconds, err := strconv.ParseFloat(fmt.Sprint(pairs[i+1]), 64)
			if !ok || err != nil {
				return nil, errScript
			}
			if served[token] == nil {
				served[token] = make([]float64, len(minutes))
			}
			served[token][age] = seconds
		}
	}
	return served, nil
}
