package pages

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs"
)

// jobsPage is what /jobs shows: one page of jobs, and what a month of them used.
type jobsPage struct {
	Jobs  []jobLine
	Lost  int        // jobs between these whose records cannot be read
	State jobs.State // the filter; "" is all
	Query string     // the search; "" is none
	Next  string     // of the next page; "" where there is none
	Tabs  []stateTab
	Usage *httpapi.UsageReport // nil where it is not kept
	Month month
}

// jobLine is a job as a line of the list.
type jobLine struct {
	jobs.View
	Look    string // class of the status' badge
	Percent float64
	Live    bool // it may change by itself
	Again   bool // it can go on
}

// stateTab is a filter of the list.
type stateTab struct {
	State jobs.State
	Label string
	Href  string
	On    bool
}

// month is a month with its neighbours, for going from one to the next.
type month struct{ This, Before, After string }

// tabs are the filters, from what is going on to what is over.
var tabs = []stateTab{
	{State: "", Label: "All"}, {State: jobs.Queued, Label: "Queued"}, {State: jobs.Training, Label: "Training"}, {State: jobs.Paused, Label: "Paused"},
	{State: jobs.Succeeded, Label: "Succeeded"}, {State: jobs.Failed, Label: "Failed"}, {State: jobs.Cancelled, Label: "Cancelled"},
}

const (
	jobsShown    = 20  // on one page
	jobsSearched = 400 // newest jobs that a search looks through for one page
)

// listPage shows the jobs, newest first.
func (a *Training) list(c echo.Context) (*httpapi.Page, error) {
	ctx := c.Request().Context()
	p := jobsPage{State: jobs.State(c.QueryParam("status")), Query: strings.TrimSpace(c.QueryParam("q"))}
	for _, t := range tabs {
		t.On = t.State == p.State
		t.Href = "/jobs?" + query("status", string(t.State), "q", p.Query)
		p.Tabs = append(p.Tabs, t)
	}
	if !slices.ContainsFunc(tabs, func(t stateTab) bool { return t.State == p.State }) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: "no job has that status"}
	}
	filter := jobs.Filter{Limit: jobsShown, After: c.QueryParam("after")}
	if filter.After != "" && !jobs.ValidID(jobs.TrainingJobPrefix, filter.After) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: "`after` is not a cursor of this list"}
	}
	if p.State != "" {
		filter.States = []jobs.State{p.State}
	}
	for looked := 0; ; looked += jobsShown {
		found, err := a.List(ctx, filter)
		if err != nil {
			return nil, err
		}
		p.Lost += found.Damaged
		for _, v := range found.Jobs {
			if matches(v, p.Query) {
				p.Jobs = append(p.Jobs, lineOfJob(v))
			}
		}
		if found.Next == "" {
			break
		}
		filter.After = found.Next
		if len(p.Jobs) >= jobsShown || p.Query == "" || looked >= jobsSearched {
			p.Next = "/jobs?" + query("status", string(p.State), "q", p.Query, "after", filter.After)
			break
		}
	}
	if a.Charges != nil {
		now := a.now().UTC()
		at, err := time.Parse("2006-01", cmp.Or(c.QueryParam("month"), now.Format("2006-01")))
		if err != nil {
			return nil, &jobs.Error{Code: jobs.NotFound, Detail: "a month is written like 2026-01"}
		}
		charges, err := a.Charges.Usage(ctx, at.Format("2006-01"))
		switch {
		case err == nil:
			p.Usage = httpapi.NewUsageReport(at.Format("2006-01"), charges)
		case jobs.ErrorCode(err) != jobs.Damaged: // without it the jobs are shown all the same
			return nil, err
		}
		p.Month = month{at.Format("January 2006"), at.AddDate(0, -1, 0).Format("2006-01"), ""}
		if next := at.AddDate(0, 1, 0); !next.After(now) {
			p.Month.After = next.Format("2006-01")
		}
	}
	return &httpapi.Page{Title: "Jobs", Template: "jobs.html", Script: "jobs.js", Data: p}, nil
}

// matches reports whether a job is what somebody looks for: by id, table,
// property, repository, tag or a word of its metadata.
func matches(v jobs.View, query string) bool {
	if query == "" {
		return true
	}
	words := slices.Concat([]string{v.ID, string(v.Status)}, v.Dataset, v.Targets)
	for key, value := range v.Metadata {
		words = append(words, key, fmt.Sprint(value))
	}
	if d := v.Publish; d != nil {
		words = append(words, d.Repo, d.Tag)
	}
	if p := v.Published; p != nil && p.Tag != nil {
		words = append(words, *p.Tag)
	}
	for _, part := range strings.Fields(strings.ToLower(query)) {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(w), part) }) {
			return false
		}
	}
	return true
}

func lineOfJob(v jobs.View) jobLine {
	return jobLine{
		View: v, Look: badge(v.Status), Percent: 100 * v.Progress.Fraction,
		Live: !v.Status.Ended() && v.Status != jobs.Paused, Again: v.Status == jobs.Failed || v.Status == jobs.Paused,
	}
}

// query is a query string of the parameters that have a value.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v.Encode()
}
