package pages

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/registry"
)

// modelsPage is what /models shows: every published model, what the default
// branch has served, and any of them side by side.
type modelsPage struct {
	Repo     string
	Branch   string // that predicts unless a request says otherwise
	Models   []modelLine
	Served   []modelLine // of Branch's history, newest first: the first is served now
	Undo     *modelLine  // what Branch held before; nil where there is none
	Targets  []string    // of any of them, by name
	Branches []string    // that a revision can be moved to
	Compare  []modelLine
}

// modelLine is a model as a line of the table.
type modelLine struct {
	registry.Version
	Card   string // its page of the Hub
	Picked bool
}

// Models shows the models that were published.
type Models struct{ Registry *registry.Registry }

// Routes implements httpapi.Area.
func (a *Models) Routes(s *httpapi.Server) { s.ShowPage("/models", "Models", a.list) }

// list shows the models.
func (a *Models) list(c echo.Context) (*httpapi.Page, error) {
	versions, err := a.Registry.Versions(c.Request().Context())
	if err != nil {
		return nil, err
	}
	p := modelsPage{Repo: a.Registry.Default.Repo, Branch: a.Registry.Default.Revision}
	targets, branches := map[string]bool{}, map[string]bool{p.Branch: true}
	picked := c.QueryParams()["compare"]
	for _, v := range versions {
		l := modelLine{Version: v, Card: a.Registry.Card(v.ModelRevision), Picked: isPicked(v, picked)}
		p.Models = append(p.Models, l)
		for _, t := range v.Targets {
			targets[t.Name] = true
		}
		for _, b := range v.History {
			branches[b] = true
		}
		if v.Repo == p.Repo && slices.Contains(v.History, p.Branch) {
			p.Served = append(p.Served, l)
		}
		if l.Picked {
			p.Compare = append(p.Compare, l)
		}
	}
	if len(p.Compare) < 2 {
		p.Compare = nil
	}
	if len(p.Served) > 1 {
		p.Undo = &p.Served[1]
	}
	p.Targets, p.Branches = slices.Sorted(maps.Keys(targets)), slices.Sorted(maps.Keys(branches))
	return &httpapi.Page{Title: "Models", Template: "models.html", Script: "models.js", Data: p}, nil
}

// isPicked reports whether one of several revisions, as repository@name, is a
// version: by its commit, or by a branch or tag that names it.
func isPicked(v registry.Version, revisions []string) bool {
	names := slices.Concat([]string{v.Commit, v.Revision}, v.Branches, v.Tags)
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(revisions, v.Repo+"@"+n) })
}

// Metrics are those of the compared models.
func (p modelsPage) Metrics() []json.RawMessage {
	all := make([]json.RawMessage, len(p.Compare))
	for i, l := range p.Compare {
		all[i] = l.Version.Metrics
	}
	return all
}
