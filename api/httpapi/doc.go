// Package httpapi serves the project's HTTP interface: JSON under /v1, with
// OpenAPI 3.1 made from the same code at /openapi.json and readable at /docs,
// problems as RFC 9457 says, bearer tokens and browser sessions.
//
// A Server is put together from areas, each a set of routes with what they need:
//
//	s := httpapi.New(config, &httpapi.Datasets{…}, &httpapi.TrainingJobs{…})
//
// so that a process serves only what its role is about. Handlers return errors;
// one table turns them into statuses, and only those that no user can act on are
// logged. Pages, and the shapes of an older service, are areas of other packages
// (pages, compat).
package httpapi
