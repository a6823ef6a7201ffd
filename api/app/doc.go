// Package app puts the API process together: storage, queue, Hub, the workers
// that live in it and the HTTP server, as a Config says. The command line only
// reads the Config; tests run the same thing with a scratch directory.
package app
