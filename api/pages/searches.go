package pages

import (
	"github.com/labstack/echo/v4"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/tuning"
	"polyid-trainer/api/web"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

// Searches shows searches for hyper-parameters.
type Searches struct{ Service *tuning.Service }

// searchesPage is what /searches shows.
type searchesPage struct {
	Searches []searchLine
	Lost     int    // searches between these whose records cannot be read
	Next     string // of the next page; "" where there is none
}

// searchLine is a search as a line of the list.
type searchLine struct {
	searches.View
	Look    string // class of the status' badge
	Percent float64
	Score   string // of the best trial, and on rows that no trial saw; "–" before
	HeldOut string
}

// searchPage is what /searches/{id} shows at first; the script keeps it up to date.
type searchPage struct {
	Search searches.View        `json:"search"`
	Trials []searches.TrialView `json:"trials"`
}

const searchesShown = 20 // on one page

// Routes implements httpapi.Area.
func (a *Searches) Routes(s *httpapi.Server) {
	s.ShowPage("/searches", "Searches", a.list)
	s.ShowPage("/searches/:id", "", func(c echo.Context) (*httpapi.Page, error) {
		ctx, id := c.Request().Context(), c.Param("id")
		v, err := a.Service.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		trials, err := a.Service.Trials(ctx, id)
		if err != nil {
			return nil, err
		}
		title := v.Name
		if title == "" {
			title = "Search " + v.ID
		}
		return &httpapi.Page{Title: title, Template: "search.html", Script: "search.js", Data: searchPage{v, trials}}, nil
	})
}

// list shows the searches, newest first.
func (a *Searches) list(c echo.Context) (*httpapi.Page, error) {
	after := c.QueryParam("after")
	if after != "" && !jobs.ValidID(jobs.SearchPrefix, after) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: "`after` is not a cursor of this list"}
	}
	found, err := a.Service.List(c.Request().Context(), searchesShown, after)
	if err != nil {
		return nil, err
	}
	p := searchesPage{Lost: found.Damaged}
	for _, v := range found.Searches {
		line := searchLine{View: v, Look: badge(v.Status), Percent: 100 * v.Progress.Fraction, Score: "–", HeldOut: "–"}
		if b := v.Best; b != nil {
			line.Score, line.HeldOut = score(b.Score), score(b.HoldoutScore)
		}
		p.Searches = append(p.Searches, line)
	}
	if found.Next != "" {
		p.Next = "/searches?" + query("after", found.Next)
	}
	return &httpapi.Page{Title: "Searches", Template: "searches.html", Script: "searches.js", Data: p}, nil
}

// score writes a score, which may not be known.
func score(x *float64) string {
	if x == nil {
		return "–"
	}
	return web.Number(*x)
}
