package expression

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"
)

// Functions are those of the language, by name.
var Functions = []string{"abs", "ceil", "exp", "floor", "length", "log", "log10", "lower", "max", "min", "missing", "round", "sqrt", "upper"}

// functions are their meanings for the compiler.
var functions = []expr.Option{
	number("abs", math.Abs), number("ceil", math.Ceil), number("exp", math.Exp), number("floor", math.Floor),
	number("log", math.Log), number("log10", math.Log10), number("round", math.Round), number("sqrt", math.Sqrt),
	numbers("max", math.Max), numbers("min", math.Min),
	expr.Function("missing", func(a ...any) (any, error) { x, err := toNumber(a[0]); return math.IsNaN(x), err }, new(func(float64) bool)),
	expr.Function("lower", func(a ...any) (any, error) { return strings.ToLower(a[0].(string)), nil }, new(func(string) string)),
	expr.Function("upper", func(a ...any) (any, error) { return strings.ToUpper(a[0].(string)), nil }, new(func(string) string)),
	expr.Function("length", func(a ...any) (any, error) { return float64(utf8.RuneCountInString(a[0].(string))), nil }, new(func(string) float64)),
}

// number is a function of one number.
func number(name string, f func(float64) float64) expr.Option {
	return expr.Function(name, func(a ...any) (any, error) {
		x, err := toNumber(a[0])
		return f(x), err
	}, new(func(float64) float64))
}

// numbers is a function of two numbers, of as many as there are from the left.
func numbers(name string, f func(x, y float64) float64) expr.Option {
	return expr.Function(name, func(a ...any) (any, error) {
		y, err := toNumber(a[0])
		for _, v := range a[1:] {
			var x float64
			if x, err = toNumber(v); err != nil {
				break
			}
			y = f(y, x)
		}
		return y, err
	}, new(func(float64, ...float64) float64))
}

func toNumber(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int:
		return float64(v), nil
	}
	return 0, fmt.Errorf("%T is no number", v)
}

// parserConfig is how source is parsed before it is compiled: without functions of
// the library's own.
func parserConfig() *conf.Config {
	c := conf.CreateNew()
	for _, o := range append([]expr.Option{expr.DisableAllBuiltins(), expr.MaxNodes(maxNodes)}, functions...) {
		o(c)
	}
	return c
}
