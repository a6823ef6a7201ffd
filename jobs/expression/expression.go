// Package expression is the small language in which users say which results they
// want: "Tg > 150 && Density < 1.1 && in_domain".
//
// An expression is compiled once against the columns that a row has and their
// kinds, so that a mistyped name or a comparison of text with a number is an error
// with its position before anything is computed. What runs has no loops, no
// functions but those listed here, and no values but those of the row: its cost is
// bounded by the length of the expression and of the row's cells. The parser, the
// type checker and the machine are those of expr-lang/expr.
//
// A number that is missing is NaN, for which every comparison but != is false; a
// text that is missing is "", and a truth false.
package expression

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// Bounds of an expression.
const (
	MaxLength = 2000 // bytes
	maxNodes  = 500
)

// Kind is what a value is.
type Kind int

// The kinds.
const (
	Number Kind = iota // a float64
	Text               // a string
	Truth              // a bool
)

func (k Kind) String() string { return [...]string{"a number", "text", "true or false"}[k] }

// Column is a value that every row has.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"-"`
	// Input marks a column of the library. It is reached as input.Name too, and
	// as that alone where a column of the results has its name.
	Input bool `json:"input"`
}

// Schema is the columns of a row, by which expressions are compiled.
type Schema struct {
	columns []Column
	types   types.Map
}

// NewSchema takes the columns of a row.
func NewSchema(columns []Column) *Schema {
	s := &Schema{columns: columns, types: types.Map{}}
	input, result := types.Map{}, types.Map{}
	kinds := [...]types.Type{types.Float64, types.String, types.Bool}
	for _, c := range columns {
		into := result
		if c.Input {
			into = input
		}
		into[c.Name] = kinds[c.Kind]
	}
	for _, c := range columns {
		if c.Input {
			s.types[c.Name] = kinds[c.Kind]
		}
	}
	for _, c := range columns { // a result wins
		if !c.Input {
			s.types[c.Name] = kinds[c.Kind]
		}
	}
	s.types["input"], s.types["result"] = input, result
	return s
}

// Columns are those that the schema was made of.
func (s *Schema) Columns() []Column { return s.columns }

// Row holds the values of one row. It is used by one goroutine at a time.
type Row struct {
	schema        *Schema
	env           map[string]any
	input, result map[string]any
	named         []bool // whether the column is reached by its bare name
}

// NewRow makes a row of which everything is missing.
func (s *Schema) NewRow() *Row {
	r := &Row{schema: s, env: map[string]any{}, input: map[string]any{}, result: map[string]any{}, named: make([]bool, len(s.columns))}
	r.env["input"], r.env["result"] = r.input, r.result
	for i, c := range s.columns {
		taken := c.Name == "input" || c.Name == "result" ||
			c.Input && slices.ContainsFunc(s.columns, func(o Column) bool { return !o.Input && o.Name == c.Name })
		r.named[i] = !taken
		r.Set(i, [...]any{math.NaN(), "", false}[c.Kind])
	}
	return r
}

// Set gives column i a value of its kind: a float64, a string or a bool.
func (r *Row) Set(i int, value any) {
	c := &r.schema.columns[i]
	if c.Input {
		r.input[c.Name] = value
	} else {
		r.result[c.Name] = value
	}
	if r.named[i] {
		r.env[c.Name] = value
	}
}

// Error says what is wrong with an expression, and where.
type Error struct {
	Position int // 1-based, in characters
	Detail   string
}

func (e *Error) Error() string { return fmt.Sprintf("at position %d: %s", e.Position, e.Detail) }

// Expression is compiled. It never changes, and may be used by any number of
// goroutines.
type Expression struct {
	source  string
	program *vm.Program
	kind    Kind
}

// Kind is what the expression's value is.
func (e *Expression) Kind() Kind { return e.kind }

// Compile compiles source, whose value must be of one of some kinds. The error is
// an [*Error].
func (s *Schema) Compile(source string, want ...Kind) (*Expression, error) {
	if len(source) > MaxLength {
		return nil, &Error{1, fmt.Sprintf("the expression has %d bytes, more than %d", len(source), MaxLength)}
	}
	if strings.TrimSpace(source) == "" {
		return nil, &Error{1, "the expression is empty"}
	}
	options := append([]expr.Option{expr.Env(s.types), expr.DisableAllBuiltins(), expr.MaxNodes(maxNodes)}, functions...)
	if err := s.check(source); err != nil {
		return nil, err
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		return nil, s.explain(source, err)
	}
	kind, ok := kindOf(program.Node().Type())
	if !ok || !slices.Contains(want, kind) {
		names := make([]string, len(want))
		for i, k := range want {
			names[i] = k.String()
		}
		is := "something else"
		if ok {
			is = kind.String()
		}
		return nil, &Error{1, fmt.Sprintf("the expression is %s, where %s is wanted", is, strings.Join(names, " or "))}
	}
	return &Expression{source, program, kind}, nil
}

func kindOf(t reflect.Type) (Kind, bool) {
	if t == nil {
		return 0, false
	}
	switch t.Kind() {
	case reflect.Float64, reflect.Int:
		return Number, true
	case reflect.String:
		return Text, true
	case reflect.Bool:
		return Truth, true
	}
	return 0, false
}

// Value is the expression's value for a row, of its kind. What cannot be computed
// is missing.
func (e *Expression) Value(r *Row) any {
	v, err := expr.Run(e.program, r.env)
	if err == nil {
		switch v := v.(type) {
		case int:
			return float64(v)
		case float64, string, bool:
			return v
		}
	}
	return [...]any{math.NaN(), "", false}[e.kind]
}

// Number is Value of an expression that is a number.
func (e *Expression) Number(r *Row) float64 { x, _ := e.Value(r).(float64); return x }

// True is Value of an expression that is true or false.
func (e *Expression) True(r *Row) bool { x, _ := e.Value(r).(bool); return x }

// check refuses what the language of expr-lang/expr has and this one has not:
// whatever could loop, allocate or take long.
func (s *Schema) check(source string) error {
	tree, err := parser.ParseWithConfig(source, parserConfig())
	if err != nil {
		return s.explain(source, err)
	}
	v := &checker{}
	ast.Walk(&tree.Node, v)
	if v.err != nil {
		return v.err
	}
	return nil
}

// checker is an ast.Visitor that remembers the first node that may not be.
type checker struct{ err *Error }

// Visit implements ast.Visitor.
func (c *checker) Visit(node *ast.Node) {
	if c.err != nil {
		return
	}
	refuse := func(format string, args ...any) {
		c.err = &Error{(*node).Location().From + 1, fmt.Sprintf(format, args...)}
	}
	switch n := (*node).(type) {
	case *ast.IdentifierNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.UnaryNode, *ast.MemberNode, *ast.ConditionalNode, *ast.ArrayNode:
	case *ast.CallNode:
		if name, ok := n.Callee.(*ast.IdentifierNode); !ok || !slices.Contains(Functions, name.Value) {
			refuse("there is no such function: those there are, are %s", strings.Join(Functions, ", "))
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "..", "|", "??":
			refuse("%s is no operator here", n.Operator)
		case "matches":
			pattern, ok := n.Right.(*ast.StringNode)
			if !ok {
				refuse("what is matched is a pattern in quotes")
			} else if _, err := regexp.Compile(pattern.Value); err != nil {
				refuse("%v", err)
			}
		}
	default:
		refuse("this is no part of the language: an expression has names, numbers, text in quotes, operators and functions")
	}
}

// explain makes an Error of one of the compiler's.
func (s *Schema) explain(source string, err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return &Error{1, err.Error()}
	}
	e := &Error{Position: at.From + 1, Detail: at.Message}
	if name, ok := strings.CutPrefix(at.Message, "unknown name "); ok {
		e.Detail = fmt.Sprintf("there is no column %.80q%s", name, s.suggest(name))
	}
	if at.Message == "unexpected token EOF" {
		e.Detail = "the expression ends too early"
	}
	return e
}

// suggest names the column that a mistyped one may be, or those there are.
func (s *Schema) suggest(name string) string {
	best, least := "", 1+len(name)/2
	var names []string
	for _, c := range s.columns {
		names = append(names, c.Name)
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(c.Name)); d < least {
			best, least = c.Name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; is it %s?", best)
	}
	return "; the columns are " + strings.Join(names[:min(len(names), 40)], ", ")
}
