package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What .github/CONTRIBUTING.md calls the house rules, as far as a test can hold
// them.

const (
	longestFile     = 500 // lines, of files that are neither tests nor generated
	longestFunction = 80
)

// retired are words that used to stand for a concept which has a name of its own
// in the industry. They are looked for in identifiers, comments, texts and pages,
// with camelCase taken apart.
var retired = []struct {
	word *regexp.Regexp
	say  string
	in   string // endings of the files that it is retired in
}{
	{word(`settl(e|es|ed|ing)`), "name the effect, such as recordOutcome", everywhere},
	{word(`shel(f|ves)`), "cache", everywhere},
	{word(`borrow(s|ed|er|ing)?`), "acquire", everywhere},
	{word(`spool(s|ed|er|ing)?`), "result file or buffer", everywhere},
	{regexp.MustCompile(`\bscroll(s|ed)?\b`), "result buffer", ".go"}, // in pages it is what it is
	{regexp.MustCompile(`\bpromis(e|es|ed)\b`), "idempotency record, or guarantee", ".go .md"},
	{word(`(giv(e|es|en|ing)|gave|hand(s|ed|ing)?)( it| them)? back`), "release, return", everywhere},
	{word(`beats?`), "heartbeat", everywhere},
	{word(`(its|whose|their|your) turn|turn key`), "lock, lease, semaphore or leader", everywhere},
}

const everywhere = ".go .js .html .css .md"

func word(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?i)\b(` + pattern + `)\b`) }

var camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// sources calls visit for every file of the project that people wrote, by its
// path from the root.
func sources(t *testing.T, visit func(path string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch base := d.Name(); {
		case d.IsDir() && (base == "vendor" || base == "testdata" || base == "var" || base == ".git" || base == "node_modules"):
			return fs.SkipDir
		case d.Type().IsRegular() && path != "api/house_test.go" && !strings.HasPrefix(path, "api/browser_"):
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestHouseWords(t *testing.T) {
	t.Parallel()
	sources(t, func(path string) {
		ending := filepath.Ext(path)
		if ending == "" || !strings.Contains(everywhere, ending) {
			return
		}
		b, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			apart := camel.ReplaceAllString(line, "$1 $2")
			for _, r := range retired {
				found := r.word.FindString(apart)
				if found == "" || !strings.Contains(r.in, ending) {
					continue
				}
				t.Errorf("%s:%d: %q is retired; say: %s", path, i+1, found, r.say)
			}
		}
	})
}

func TestHouseSizes(t *testing.T) {
	t.Parallel()
	sources(t, func(path string) {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, filepath.Join("..", filepath.FromSlash(path)), nil, parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		if ast.IsGenerated(f) {
			return
		}
		line := func(p token.Pos) int { return files.Position(p).Line }
		if n := line(f.FileEnd); n > longestFile {
			t.Errorf("%s has %d lines, more than %d", path, n, longestFile)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var name string
			switch n := n.(type) {
			case *ast.FuncDecl:
				name = n.Name.Name
			case *ast.FuncLit:
				name = "a function literal"
			default:
				return true
			}
			if lines := line(n.End()) - line(n.Pos()) + 1; lines > longestFunction {
				t.Errorf("%s:%d: %s has %d lines, more than %d", path, line(n.Pos()), name, lines, longestFunction)
			}
			return true
		})
	})
}

// storedUnder are the first parts of the keys of object storage, each of which
// package jobs/keys has a name for.
var storedUnder = regexp.MustCompile(`^"(jobs|folds|predictions|datasets|idempotency|sessions|usage|audit|tokens|screenings|searches|schedules|index|hub/turns)/`)

// TestHouseKeys: keys are built by jobs/keys alone, so that the layout of what is
// stored can be read in one place.
func TestHouseKeys(t *testing.T) {
	t.Parallel()
	sources(t, func(path string) {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "jobs/keys/") || strings.HasPrefix(path, "storage/") || strings.HasPrefix(path, "data/") {
			return
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, filepath.Join("..", filepath.FromSlash(path)), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && storedUnder.MatchString(lit.Value) {
				t.Errorf("%s: %s looks like a key of object storage: build it in jobs/keys", files.Position(lit.Pos()), lit.Value)
			}
			return true
		})
	})
}
