package httpapi

import (
	"fmt"
	"strings"

	"polyid-trainer/jobs"
)

// List is a page of things, newest first.
type List[T any] struct {
	Object    string  `json:"object" enum:"list"`
	Data      []T     `json:"data" nullable:"false"`
	HasMore   bool    `json:"has_more"`
	NextAfter *string `json:"next_after" doc:"What to ask for after= to go on; null at the end."`
	Damaged   int     `json:"damaged" doc:"Things between these whose records cannot be read; they are left out."`
}

// newList makes a page of data, whose last item has the id last.
func newList[T any](data []T, more bool, last func(T) string) List[T] {
	l := List[T]{Object: "list", Data: data, HasMore: more}
	if data == nil {
		l.Data = []T{}
	}
	if more && len(data) > 0 {
		next := last(data[len(data)-1])
		l.NextAfter = &next
	}
	return l
}

// Paging is which part of a list is asked for.
type Paging struct {
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"At most so many."`
	After string `query:"after" doc:"The id after which to go on: next_after of the page before."`
}

// checkAfter refuses what is not an id of the kind listed.
func checkAfter(prefix, after string) error {
	if after == "" || jobs.ValidID(prefix, after) {
		return nil
	}
	return &jobs.Error{Code: jobs.Invalid, Detail: "`after` is not a cursor of this list",
		Problems: []jobs.Problem{{Pointer: "query.after", Detail: fmt.Sprintf("%q is not an id of the form %s…; take next_after of the page before", after[:min(len(after), 40)], strings.TrimSuffix(prefix, "_")+"_")}}}
}
