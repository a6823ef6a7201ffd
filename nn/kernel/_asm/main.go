// Command _asm writes the assembly of package kernel: for each instruction set
// one .s file and the Go declarations of its functions.
//
//	go run . ..
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . directory")
	}
	for _, s := range []isa{avx2, avx512} {
		if err := write(os.Args[1], s); err != nil {
			log.Fatal(err)
		}
	}
}

func write(dir string, s isa) error {
	f, err := assemble(s)
	if err != nil {
		return fmt.Errorf("assemble %s: %w", s.name, err)
	}
	base := filepath.Join(dir, strings.ToLower(s.name)+"_amd64")
	cfg := printer.Config{Name: "_asm", Pkg: "kernel"}
	text, err := printer.NewGoAsm(cfg).Print(f)
	if err != nil {
		return fmt.Errorf("print %s: %w", s.name, err)
	}
	if err := os.WriteFile(base+".s", text, 0o644); err != nil {
		return err
	}
	text, err = printer.NewStubs(cfg).Print(f)
	if err != nil {
		return fmt.Errorf("print %s: %w", s.name, err)
	}
	text, err = format.Source(bytes.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("format %s: %w", s.name, err)
	}
	return os.WriteFile(base+".go", text, 0o644)
}

// assemble builds all functions of one instruction set, registers allocated.
func assemble(s isa) (*ir.File, error) {
	g := &gen{Context: build.NewContext(), isa: s}
	g.ConstraintExpr("amd64")
	g.ConstraintExpr("!purego")
	g.tile()
	g.gradAdam()
	g.transpose()
	g.strip()
	g.adam()
	g.sums()
	g.maskReLU()
	g.scale()
	g.axpy()
	g.addMul()
	g.dot()
	g.peak()
	f, err := g.Result()
	if err != nil {
		return nil, err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, err
	}
	return f, nil
}
