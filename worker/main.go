// Command worker trains: it joins the queue of a Redis and the storage that all
// machines share, and works on what it finds there until it is told to stop.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// dropEmpty removes the variables of options that are empty: those are as good
// as none.
func dropEmpty() error {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[options]()) {
		name := f.Tag.Get("env")
		if v, ok := os.LookupEnv(name); name == "" || !ok || v != "" {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return nil
}

// run is the program; it returns the exit status: 0 told to stop or idle, 1
// failed, 2 bad usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	if err := dropEmpty(); err != nil {
		fmt.Fprintf(stderr, "worker: %v\n", err)
		return 1
	}
	exit := -1 // set when kong has answered by itself, as to -h
	parser := kong.Must(&o,
		kong.Name("worker"),
		kong.Description("Train the folds of PolyID jobs. SIGTERM saves and releases them."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
	)
	_, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		fmt.Fprintf(stderr, "worker: %v (worker -h lists flags)\n", err)
		return 2
	}
	if err := o.work(ctx, stderr); err != nil {
		fmt.Fprintf(stderr, "worker: %v\n", err)
		return 1
	}
	return 0
}
