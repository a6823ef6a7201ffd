package web

import (
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeTag is a moment that the browser shows in its own zone.
func timeTag(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	utc := t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, utc.Format(time.RFC3339), utc.Format("2006-01-02 15:04 UTC")))
}

// Duration is a time in seconds as people say it: 45 s, 12 min, 2.5 h, 3.2 days.
func Duration(seconds float64) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 90*60:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.1f h", seconds/3600)
	}
	return fmt.Sprintf("%.1f days", seconds/86400)
}

// Bytes is a size in the unit that suits it, in powers of ten as disks are sold.
func Bytes(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.3g %cB", v, units[i])
}

// Number is a value to three significant digits, or to whole ones from a thousand on.
func Number(v float64) string {
	if 1e3 <= math.Abs(v) && math.Abs(v) < 1e7 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Field is an input of a form whose value stands at a JSON pointer of a request.
type Field struct {
	At          string // the pointer
	Label, Hint string
	Kind        string // integer, number or text
	Low, High   string // what is recommended, of numbers; "" says nothing
}

// ID is the id of the input.
func (f Field) ID() string { return strings.ReplaceAll(strings.Trim(f.At, "/"), "/", "-") }

func field(at, label, hint, kind, low, high string) Field {
	return Field{at, label, hint, kind, low, high}
}

var foldIndex = regexp.MustCompile(`\bfold \d+`)

// foldsFromOne is a text in which folds are counted as the pages do, from 1.
func foldsFromOne(text string) string {
	return foldIndex.ReplaceAllStringFunc(text, func(s string) string {
		i, err := strconv.Atoi(strings.TrimPrefix(s, "fold "))
		if err != nil {
			return s // too large to be a fold
		}
		return "fold " + strconv.Itoa(i+1)
	})
}
