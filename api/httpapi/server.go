package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"polyid-trainer/api/web"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/audit"
	"polyid-trainer/jobs/tokens"
)

// Config is what every process' server needs, whatever it serves.
type Config struct {
	// Tokens are who is let in. With nil, or none of the configuration, everybody may
	// do everything, and then only under a loopback name and from pages of this very
	// server.
	Tokens *tokens.Keyring
	// Audit notes who did what; nil notes nothing.
	Audit  *audit.Log
	Limits Limits
	// Sessions knows who has logged out; nil lets a cookie be good until it
	// expires.
	Sessions *Sessions
	// Ready asks what the server depends on, by name: "redis", "storage".
	Ready map[string]func(context.Context) error
	// Damage names what is damaged, as an error, by what it is of: "records",
	// "hub". The server is ready all the same.
	Damage map[string]func(context.Context) error
	// Around sees every request first and its answer last: what measures them.
	Around  []echo.MiddlewareFunc
	Version string           // of the code
	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger     // nil discards
}

// Server answers HTTP requests. It is safe for concurrent use once made.
type Server struct {
	Config
	echo    *echo.Echo
	api     huma.API
	public  map[string]bool // routes that need no token
	known   map[string]bool // routes there are, "GET /path"
	streams streams
	pages   *web.Pages
	nav     []web.Link
}

// Queue takes the tasks of what is asked for here.
type Queue interface {
	jobs.Queue
	// Ready reports that Enqueue would fail.
	Ready(context.Context) error
}

// Area is a part of the interface, which registers its routes with a server.
type Area interface{ Routes(*Server) }

// New makes a server of areas.
func New(c Config, areas ...Area) *Server {
	c.Limits = c.Limits.WithDefaults()
	def(&c.Version, "devel")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: c, echo: echo.New(), public: map[string]bool{}, known: map[string]bool{}, pages: web.New()}
	s.echo.IPExtractor = echo.ExtractIPDirect()
	s.echo.HTTPErrorHandler = s.writeError
	s.echo.Use(s.Around...)
	s.echo.Use(s.observe()...)
	s.echo.Use(secure, s.sameSite, s.identify, s.limitRate(), s.authorize, decodeBody)

	s.api = humaecho.New(s.echo, s.openAPI())
	s.assets()
	s.docs()
	s.login()
	s.health()
	s.tokens()
	s.audit()
	for _, a := range areas {
		a.Routes(s)
	}
	slices.SortFunc(s.nav, func(a, b web.Link) int {
		return slices.Index(navigation, a.Path) - slices.Index(navigation, b.Path)
	})
	s.home()
	for _, r := range s.echo.Routes() {
		s.known[r.Method+" "+r.Path] = true
	}
	completeSchemas(s.api.OpenAPI().Components.Schemas)
	return s
}

// Echo is the router, for routes that are not of the OpenAPI document. They are
// behind authentication unless Open exempts them.
func (s *Server) Echo() *echo.Echo { return s.echo }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, asGet(r)) }

// Open exempts routes from authentication.
func (s *Server) Open(routes ...string) {
	for _, r := range routes {
		s.public[r] = true
	}
}

// route registers an operation: in the router and in the OpenAPI document.
// Bodies are bounded by Limits.JSON unless the operation says otherwise.
func route[I, O any](s *Server, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = s.Limits.JSON
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "What is wrong, as RFC 9457 says.",
		Content: map[string]*huma.MediaType{
			problemJSON: {Schema: huma.SchemaFromType(s.api.OpenAPI().Components.Schemas, problemType)},
		},
	}
	huma.Register(s.api, op, handle)
}

// documentBody says what a POST reads for itself. An operation with a body in its
// huma.Operation would have it read, and refused, before.
func (s *Server) documentBody(path string, body *huma.RequestBody) {
	s.api.OpenAPI().Paths[path].Post.RequestBody = body
}

// openAPI is the document before any operation.
func (s *Server) openAPI() huma.Config {
	c := huma.DefaultConfig("PolyID Trainer", s.Version)
	c.Info.Description = "Trains PolyID polymer-property models, publishes them and predicts with them."
	c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", nil // no links to schemas in answers, docs of our own
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "A token of API_TOKENS."},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "Set by /login."},
	}
	c.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	c.Components.Schemas = newSchemas()
	return c
}
