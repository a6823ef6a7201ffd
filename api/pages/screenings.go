package pages

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/screening"
	"polyid-trainer/api/web"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/expression"
	"polyid-trainer/jobs/screenings"
)

// Screenings shows the page that screens a library, and each screening.
type Screenings struct {
	Service    *screening.Service
	Default    jobs.Revision // what predicts unless somebody chooses another
	Mechanisms []string
}

// screenPage is what /screen shows.
type screenPage struct {
	Datasets   []*datasets.Dataset
	Mechanisms []string
	Formats    []screenings.Format
	Functions  []string // of expressions
	Default    jobs.Revision
	Screenings []screeningLine
	Lost       int    // screenings between these whose records cannot be read
	Next       string // of the next page; "" where there is none
}

// screeningLine is a screening as a line of the list.
type screeningLine struct {
	screenings.View
	Look    string // class of the status' badge
	Percent float64
}

// screeningPage is what /screenings/{id} shows; the script keeps it up to date.
type screeningPage struct {
	screeningLine
	Source string // name of what is screened
	Best   bestRows
}

// bestRows are the first rows of the results as a table.
type bestRows struct {
	Columns []bestColumn
	Rows    []bestRow
	Of      int64 // rows of the library, of which these are the best
	Ordered bool  // the rows are chosen, and not just the first
}

type bestColumn struct {
	Name   string
	Number bool
}

type bestRow struct {
	Structure string // as the library has it; "" where there is none
	Cells     []string
}

const (
	screeningsShown = 20 // on one page
	bestShown       = 20
)

// Routes implements httpapi.Area.
func (a *Screenings) Routes(s *httpapi.Server) {
	s.ShowPage("/screen", "Screen", a.list)
	s.ShowPage("/screenings/:id", "", a.show)
}

// list shows the form, and below it the screenings, newest first.
func (a *Screenings) list(c echo.Context) (*httpapi.Page, error) {
	ctx, after := c.Request().Context(), c.QueryParam("after")
	if after != "" && !jobs.ValidID(jobs.ScreeningPrefix, after) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: "`after` is not a cursor of this list"}
	}
	found, err := a.Service.Store.List(ctx, after, screeningsShown)
	if err != nil {
		return nil, err
	}
	p := screenPage{Mechanisms: a.Mechanisms, Formats: screenings.Formats, Functions: expression.Functions, Default: a.Default, Lost: found.Damaged}
	for _, x := range found.Screenings {
		v, err := a.Service.View(ctx, x)
		if code := jobs.ErrorCode(err); code == jobs.NotFound || code == jobs.Damaged { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		p.Screenings = append(p.Screenings, lineOfScreening(v))
	}
	if n := len(found.Screenings); found.More && n > 0 {
		p.Next = "/screen?" + query("after", found.Screenings[n-1].ID)
	}
	if p.Datasets, err = a.datasets(ctx); err != nil {
		return nil, err
	}
	return &httpapi.Page{Title: "Screen", Template: "screen.html", Script: "screen.js", Data: p}, nil
}

// datasets are the newest, and those that are shipped.
func (a *Screenings) datasets(ctx context.Context) ([]*datasets.Dataset, error) {
	list, err := a.Service.Library.List(ctx, "", datasetsShown)
	if err != nil {
		return nil, err
	}
	if list.More {
		for _, shipped := range data.AllShipped() {
			d, err := a.Service.Library.Get(ctx, shipped.Name)
			if err != nil {
				return nil, err
			}
			list.Datasets = append(list.Datasets, d)
		}
	}
	return list.Datasets, nil
}

// show shows one screening.
func (a *Screenings) show(c echo.Context) (*httpapi.Page, error) {
	ctx := c.Request().Context()
	x, err := a.Service.Store.Screening(ctx, c.Param("id"))
	if err != nil {
		return nil, err
	}
	v, err := a.Service.View(ctx, x)
	if err != nil {
		return nil, err
	}
	best, err := a.Service.Best(ctx, x, bestShown)
	if err != nil {
		return nil, err
	}
	p := screeningPage{screeningLine: lineOfScreening(v), Source: x.Source.Name, Best: tableOf(x, best)}
	return &httpapi.Page{Title: cmp.Or(v.Name, "Screening "+v.ID), Template: "screening.html", Script: "screening.js", Data: p}, nil
}

func lineOfScreening(v screenings.View) screeningLine {
	l := screeningLine{View: v}
	if v.Counts.Total > 0 {
		l.Percent = 100 * float64(v.Counts.Done) / float64(v.Counts.Total)
	}
	switch v.Status {
	case screenings.Succeeded:
		l.Look = "good"
	case screenings.Failed:
		l.Look = "bad"
	case screenings.Paused:
		l.Look = "warn"
	case screenings.Running:
		l.Look = "busy"
	}
	return l
}

// tableOf is rows for people: a property is its mean ± its standard deviation, and
// what no row has is left out.
func tableOf(x *screenings.Screening, b *screening.Best) bestRows {
	t := bestRows{Of: b.Of, Ordered: x.Spec.Ordered()}
	roles := x.Source.Roles
	structure := slices.Index(x.Source.Header, cmp.Or(roles.RepeatUnit, roles.Monomers, roles.Polymer))
	type shown struct{ mean, std int } // columns; std is -1 where there is none
	var columns []shown
	for i, name := range b.Names {
		at := i - len(x.Source.Header) // 0 is the first property's mean
		field := at % screenings.Fields
		property := at >= 0 && at < screenings.Fields*len(x.Model.Targets)
		empty := !slices.ContainsFunc(b.Rows, func(cells []string) bool { return i < len(cells) && cells[i] != "" })
		if i == structure || empty || property && field != 0 {
			continue
		}
		s := shown{i, -1}
		if property {
			target := x.Model.Targets[at/screenings.Fields]
			if name = target.Name; target.Units != "" {
				name += " (" + target.Units + ")"
			}
			s.std = i + 1
		}
		columns = append(columns, s)
		t.Columns = append(t.Columns, bestColumn{name, b.Kinds[i] == expression.Number})
	}
	for _, cells := range b.Rows {
		var r bestRow
		if structure >= 0 && structure < len(cells) {
			r.Structure = cells[structure]
		}
		for _, s := range columns {
			text := numberOf(cells, s.mean, b.Kinds)
			if std := numberOf(cells, s.std, b.Kinds); std != "" {
				text += " ± " + std
			}
			r.Cells = append(r.Cells, text)
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// numberOf is a cell, a number as pages write it; "" where there is no such cell.
func numberOf(cells []string, i int, kinds []expression.Kind) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	if v, err := strconv.ParseFloat(cells[i], 64); err == nil && kinds[i] == expression.Number {
		return web.Number(v)
	}
	return cells[i]
}
