package pages

import (
	"maps"
	"slices"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/registry"
)

// modelsPage is what /models shows: the revisions that can predict, side by
// side, and two of them compared.
type modelsPage struct {
	Repo    string
	Models  []modelLine
	Targets []string // of any of them, by name
	Branch  []string // that a revision can be moved to
	Compare []modelLine
}

type modelLine struct {
	registry.ModelRevision
	Card   string // its page of the Hub
	Picked bool
}

// Models shows the revisions that can predict.
type Models struct{ Registry *registry.Registry }

// Routes implements httpapi.Area.
func (a *Models) Routes(s *httpapi.Server) { s.ShowPage("/models", "Models", a.list) }

// list shows the revisions.
func (a *Models) list(c echo.Context) (*httpapi.Page, error) {
	ctx := c.Request().Context()
	models, err := a.Registry.List(ctx)
	if err != nil {
		return nil, err
	}
	p := modelsPage{Repo: a.Registry.Default.Repo}
	targets, branches := map[string]bool{}, map[string]bool{"main": true}
	picked := c.QueryParams()["compare"]
	for _, m := range models {
		l := modelLine{ModelRevision: m, Card: a.Registry.Card(m), Picked: slices.Contains(picked, m.Repo+"@"+m.Revision)}
		p.Models = append(p.Models, l)
		for _, t := range m.Targets {
			targets[t.Name] = true
		}
		if m.Type == "branch" && m.Repo == a.Registry.Default.Repo {
			branches[m.Revision] = true
		}
		if l.Picked && len(p.Compare) < 2 {
			p.Compare = append(p.Compare, l)
		}
	}
	if len(p.Compare) < 2 {
		p.Compare = nil
	}
	p.Targets = slices.Sorted(maps.Keys(targets))
	p.Branch = slices.Sorted(maps.Keys(branches))
	return &httpapi.Page{Title: "Models", Template: "models.html", Script: "models.js", Data: p}, nil
}
