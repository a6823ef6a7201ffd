package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"polyid-trainer/jobs"
)

// readSpec reads a training job and lists every field that cannot be read, where
// jobs.ReadSpec would stop at the first. The error is a body that is not JSON.
func readSpec(body []byte) (jobs.Spec, []jobs.Problem, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return jobs.Spec{}, []jobs.Problem{{Detail: "the body is JSON, but not an object"}}, nil
		}
		return jobs.Spec{}, nil, newProblem(http.StatusBadRequest, Malformed, "the body is not valid JSON: "+err.Error())
	}
	problems := readFields("", fields, reflect.TypeFor[jobs.Spec]())
	problems = append(problems, zeros("", fields, "kfolds", "epochs", "batch_size", "learning_rate", "validate_every")...)
	var model map[string]json.RawMessage
	if json.Unmarshal(fields["model"], &model) == nil {
		problems = append(problems, zeros("/model", model, "atom_features", "bond_features", "mol_features", "num_messages")...)
	}
	var chains map[string]json.RawMessage
	if json.Unmarshal(fields["chains"], &chains) == nil {
		problems = append(problems, zeros("/chains", chains, "dp", "max_heavy_atoms", "replicates")...)
	}
	if isZero(fields["max_cost_usd"]) {
		problems = append(problems, jobs.Problem{Pointer: "/max_cost_usd", Detail: "A budget of 0 lets the job do nothing. Leave it out for no limit"})
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return jobs.Spec{}, nil, err
	}
	spec, err := jobs.ReadSpec(bytes.NewReader(rest))
	return spec, problems, err // every field was read before
}

// zeros lists the fields that say 0, which a Spec takes for nothing said.
func zeros(at string, fields map[string]json.RawMessage, names ...string) []jobs.Problem {
	var problems []jobs.Problem
	for _, name := range names {
		if isZero(fields[name]) {
			problems = append(problems, jobs.Problem{Pointer: at + "/" + name, Detail: "Enter at least 1, or leave it out for the default"})
		}
	}
	return problems
}

// isZero reports whether a JSON value is the number 0.
func isZero(value json.RawMessage) bool {
	var n json.Number
	if json.Unmarshal(value, &n) != nil {
		return false
	}
	x, err := n.Float64()
	return err == nil && x == 0 && n != ""
}

// readFields tries the fields of a JSON object, each by itself, as those of a
// struct of type t. It removes from the object, and lists, what is no field or
// cannot be read, however deep, so that the rest can be looked at too.
func readFields(at string, object map[string]json.RawMessage, t reflect.Type) (problems []jobs.Problem) {
	known := fieldTypes(t)
	names := slices.Sorted(maps.Keys(known))
	unknown := 0
	for _, name := range slices.Sorted(maps.Keys(object)) {
		here := at + "/" + escapePointer(name)
		field, ok := known[name]
		if !ok {
			delete(object, name)
			if unknown++; unknown <= maxUnknown {
				problems = append(problems, jobs.Problem{Pointer: here, Detail: "is not a field of a training job" + similar(name, names)})
			}
			continue
		}
		rest, wrong := readValue(here, object[name], field)
		problems = append(problems, wrong...)
		if rest == nil {
			delete(object, name)
		} else {
			object[name] = rest
		}
	}
	if more := unknown - maxUnknown; more > 0 {
		problems = append(problems, jobs.Problem{Pointer: at, Detail: fmt.Sprintf("has %d more names that are not fields of a training job", more)})
	}
	return problems
}

// maxUnknown is how many names of an object that are no fields are listed each:
// finding what was meant takes time.
const maxUnknown = 50

// readValue tries a value as one of type t and returns what of it can be read,
// nil for none of it.
func readValue(at string, value json.RawMessage, t reflect.Type) (json.RawMessage, []jobs.Problem) {
	object := map[string]json.RawMessage{}
	if s := structOf(t); s != nil && json.Unmarshal(value, &object) == nil && object != nil {
		problems := readFields(at, object, s)
		rest, err := json.Marshal(object)
		if err != nil {
			return nil, append(problems, jobs.Problem{Pointer: at, Detail: err.Error()})
		}
		return rest, problems
	}
	err := json.Unmarshal(value, reflect.New(t).Interface())
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return value, nil
	case errors.As(err, &wrong):
		if wrong.Field != "" {
			at += "/" + strings.ReplaceAll(wrong.Field, ".", "/")
		}
		return nil, []jobs.Problem{{Pointer: at, Detail: fmt.Sprintf("is a %s; it must be %s", wrong.Value, kindName(wrong.Type))}}
	}
	return nil, []jobs.Problem{{Pointer: at, Detail: err.Error()}}
}

// structOf is the struct that t is or points to, nil if it is none or reads its
// own JSON.
func structOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	return t
}

// fieldTypes are the types of a struct's JSON fields by their names.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for f := range fields(t) {
		types[tagName(f)] = f.Type
	}
	return types
}

// fields yields the fields of a struct's JSON, those of embedded ones included.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if !f.Anonymous && f.IsExported() && tagName(f) != "-" && !yield(f) {
				return
			}
		}
	}
}

func tagName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		return f.Name
	}
	return name
}

// similar suggests the known name that is nearest.
func similar(name string, known []string) string {
	name = name[:min(len(name), 100)]
	best, least := "", len(name)/3+2
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// kindName is a type as a user of JSON would say it.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Pointer:
		return kindName(t.Elem())
	}
	return "an object"
}

// escapePointer writes a name as a token of a JSON pointer.
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s[:min(len(s), 100)])
}
