// Package pages serves what people look at: the form for a new training job, the
// jobs, predictions, models and queues. Each page is an area of an
// httpapi.Server, which draws its frame and guards it; templates and scripts are
// package web's. A page shows what the services know when it is asked for, and
// from there its script goes on with the API and its events.
package pages
