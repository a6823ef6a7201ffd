package main

import (
	"fmt"
	"runtime"

	"polyid-trainer/api/app"
)

// VersionCmd tells what was built.
type VersionCmd struct{}

// Run prints one line.
func (*VersionCmd) Run(std *streams) error {
	_, err := fmt.Fprintf(std.out, "polyid-trainer %s %s %s/%s\n", app.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
