package pages

import (
	"github.com/labstack/echo/v4"

	"polyid-trainer/api/httpapi"
)

// Guide shows how to use the service, for people who see it for the first time.
type Guide struct{}

// Routes implements httpapi.Area.
func (Guide) Routes(s *httpapi.Server) {
	s.ShowPage("/guide", "Guide", func(echo.Context) (*httpapi.Page, error) {
		return &httpapi.Page{Title: "Guide", Template: "guide.html"}, nil
	})
}
