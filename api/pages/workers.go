package pages

import (
	"github.com/labstack/echo/v4"

	"polyid-trainer/api/fleet"
	"polyid-trainer/api/httpapi"
)

// workersPage is what /workers shows.
type workersPage struct {
	Workers []fleet.Worker
	Queue   *fleet.Queue
}

// Workers shows who is alive and what waits for them.
type Workers struct{ Service *fleet.Service }

// Routes implements httpapi.Area.
func (a *Workers) Routes(s *httpapi.Server) {
	s.ShowPage("/workers", "Workers", func(c echo.Context) (*httpapi.Page, error) {
		ctx := c.Request().Context()
		workers, err := a.Service.Workers(ctx)
		if err != nil {
			return nil, err
		}
		queue, err := a.Service.Waiting(ctx)
		if err != nil {
			return nil, err
		}
		return &httpapi.Page{Title: "Workers", Template: "workers.html", Script: "workers.js", Data: workersPage{workers, queue}}, nil
	})
}
