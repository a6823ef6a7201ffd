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

// readSpec reads a training job and lists every value that cannot be, as far as
// that can be told without the dataset: what jobs.ReadSpec stops at first is one
// of them. An error is a body that is no JSON.
func readSpec(body []byte) (jobs.Spec, []jobs.Problem, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return jobs.Spec{}, []jobs.Problem{{Detail: "the body is JSON, but no object"}}, nil
		}
		return jobs.Spec{}, nil, newProblem(http.StatusBadRequest, Malformed, "the body is no JSON: "+err.Error())
	}
	var problems []jobs.Problem
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if p, ok := readField(name, fields[name]); !ok {
			problems = append(problems, p)
			delete(fields, name)
		}
	}
	problems = append(problems, zeros("", fields, "kfolds", "epochs", "batch_size", "learning_rate")...)
	var model map[string]json.RawMessage
	if json.Unmarshal(fields["model"], &model) == nil {
		problems = append(problems, zeros("/model", model, "atom_features", "bond_features", "mol_features", "num_messages")...)
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return jobs.Spec{}, nil, err
	}
	spec, err := jobs.ReadSpec(bytes.NewReader(rest))
	if err != nil {
		return jobs.Spec{}, nil, err // every field was read before
	}
	for _, p := range spec.Problems() {
		// One problem a field: a dataset that could not be read is not missing.
		if !slices.ContainsFunc(problems, func(q jobs.Problem) bool { return q.Pointer == p.Pointer }) {
			problems = append(problems, p)
		}
	}
	return spec, problems, nil
}

// zeros lists the fields that say 0, which a Spec takes for nothing said.
func zeros(at string, fields map[string]json.RawMessage, names ...string) []jobs.Problem {
	var problems []jobs.Problem
	for _, name := range names {
		var n json.Number
		if json.Unmarshal(fields[name], &n) != nil {
			continue
		}
		if x, err := n.Float64(); err == nil && x == 0 && n != "" {
			problems = append(problems, jobs.Problem{Pointer: at + "/" + name, Detail: "0 is too few; leave it out for the default"})
		}
	}
	return problems
}

// readField tries one field by itself.
func readField(name string, value json.RawMessage) (jobs.Problem, bool) {
	key, err := json.Marshal(name)
	if err != nil {
		return jobs.Problem{Detail: err.Error()}, false
	}
	_, err = jobs.ReadSpec(strings.NewReader("{" + string(key) + ":" + string(value) + "}"))
	if err == nil {
		return jobs.Problem{}, true
	}
	at := "/" + escapePointer(name)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field != "" {
			at = "/" + strings.ReplaceAll(wrong.Field, ".", "/")
			if !strings.HasPrefix(at, "/"+name) { // it names the struct that the field is embedded in
				_, at, _ = strings.Cut(at[1:], "/")
				at = "/" + at
			}
		}
		return jobs.Problem{Pointer: at, Detail: fmt.Sprintf("is a %s; %s belongs here", wrong.Value, kindName(wrong.Type))}, false
	}
	detail := err.Error()
	detail = strings.TrimPrefix(detail, "read training job: ")
	if _, unknown, ok := strings.Cut(detail, "json: unknown field "); ok {
		unknown = strings.Trim(unknown, `"`)
		if unknown != name {
			at += "/…/" + escapePointer(unknown)
			if fields := nested(name); slices.Contains(directly(value), unknown) {
				at = "/" + escapePointer(name) + "/" + escapePointer(unknown)
				return jobs.Problem{Pointer: at, Detail: "is no field of a training job" + similar(unknown, fields)}, false
			}
			return jobs.Problem{Pointer: at, Detail: "is no field of a training job"}, false
		}
		return jobs.Problem{Pointer: at, Detail: "is no field of a training job" + similar(unknown, fieldNames(reflect.TypeFor[jobs.Spec]()))}, false
	}
	return jobs.Problem{Pointer: at, Detail: detail}, false
}

// directly lists the keys of a JSON object.
func directly(value json.RawMessage) []string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(value, &fields) != nil {
		return nil
	}
	return slices.Collect(maps.Keys(fields))
}

// nested lists the fields of a field of a training job.
func nested(name string) []string {
	for f := range fields(reflect.TypeFor[jobs.Spec]()) {
		if tagName(f) == name {
			t := f.Type
			for t.Kind() == reflect.Pointer {
				t = t.Elem()
			}
			if t.Kind() == reflect.Struct {
				return fieldNames(t)
			}
		}
	}
	return nil
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range fields(t) {
		names = append(names, tagName(f))
	}
	return names
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
	return fmt.Sprintf("; is it %s?", best)
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
