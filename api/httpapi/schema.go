package httpapi

import (
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/jobs/search"
	"polyid-trainer/jobs/searches"
	"polyid-trainer/worker/predict"
)

// newSchemas holds the schemas of the OpenAPI document.
func newSchemas() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", schemaName)
	aliases(r)
	return r
}

// plainNames are the packages whose types stand in the document under their own
// names: this one and the services that it shows.
var plainNames = []string{"httpapi", "training", "registry"}

// schemaName names a type in the document: by its own name if it is of
// plainNames, with the package's before it otherwise, and as the API calls it
// where that has a word of its own.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch pkg := path.Base(t.PkgPath()); {
	case t == reflect.TypeFor[jobs.View]():
		return "TrainingJob"
	case t == reflect.TypeFor[jobs.Spec]():
		return "TrainingJobSpec"
	case t == reflect.TypeFor[searches.View]():
		return "Search"
	case t == reflect.TypeFor[List[searches.View]]():
		return "ListSearch"
	case t == reflect.TypeFor[searches.TrialView]():
		return "Trial"
	case t == reflect.TypeFor[screenings.View]():
		return "Screening"
	case t == reflect.TypeFor[List[screenings.View]]():
		return "ListScreening"
	case t == reflect.TypeFor[predict.Response]():
		return "Prediction"
	case t == reflect.TypeFor[predict.Request]():
		return "PredictionRequest"
	case pkg == "." || slices.Contains(plainNames, pkg):
		return name
	default:
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
}

// completeSchemas states what huma does not know of Go's JSON: objects that are pointers
// may be null, and what is left out when it is zero is not required.
func completeSchemas(r huma.Registry) {
	for name, schema := range r.Map() {
		t := r.TypeFromRef("#/components/schemas/" + name)
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		openIntervals(name, schema)
		for f := range fields(t) {
			property := schema.Properties[tagName(f)]
			if f.Type.Kind() == reflect.Pointer && property != nil && property.Ref != "" {
				schema.Properties[tagName(f)] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: property.Ref}, {Type: "null"}}, Description: property.Description}
			}
			if strings.Contains(f.Tag.Get("json"), ",omitzero") {
				schema.Required = slices.DeleteFunc(schema.Required, func(name string) bool { return name == tagName(f) })
			}
			if t == reflect.TypeFor[jobs.Destination]() && f.Name == "Tag" { // it writes its own JSON
				property.Nullable = true
			}
		}
	}
}

// openIntervals lets a schema have fields that are named by the level of intervals:
// interval80 in place of interval90.
func openIntervals(name string, schema *huma.Schema) {
	const named = "interval90"
	if at := slices.Index(schema.Required, named); at >= 0 {
		schema.Required = slices.Delete(schema.Required, at, at+1)
		schema.AdditionalProperties = true
		schema.Description = "The field of the interval is named by its level: " + named + ", or interval80 where a job set intervals.level to 0.8."
	}
	if name == "RevisionScore" {
		schema.AdditionalProperties = true
		schema.Description = "A hold-out score also has interval90_coverage, interval90_width and, with enough rows, interval90_by_difficulty, named by the level of the intervals."
	}
}

// aliases says what types that write their own JSON look like, which packages
// below this one have no words for.
func aliases(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[jobs.Measure](), reflect.TypeFor[measureSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[jobs.Schedule](), reflect.TypeFor[scheduleSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[data.Names](), reflect.TypeFor[namesSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[data.Grouping](), reflect.TypeFor[groupingSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[data.Folds](), reflect.TypeFor[foldsSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[search.Space](), reflect.TypeFor[spaceSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[search.Values](), reflect.TypeFor[valuesSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[objectSchema]())
}

type (
	measureSchema  struct{}
	scheduleSchema struct{}
	namesSchema    struct{}
	groupingSchema struct{}
	foldsSchema    struct{}
	objectSchema   struct{}
)

// Schema implements huma.SchemaProvider.
func (measureSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true}
}

// Schema implements huma.SchemaProvider.
func (scheduleSchema) Schema(huma.Registry) *huma.Schema {
	var names []any
	for _, name := range jobs.Schedules() {
		names = append(names, name)
	}
	name := &huma.Schema{Type: huma.TypeString, Enum: names}
	number := &huma.Schema{Type: huma.TypeNumber}
	settings := &huma.Schema{Type: huma.TypeObject, Required: []string{"name"}, Properties: map[string]*huma.Schema{
		"name": name, "warmup_epochs": number, "min_ratio": number, "gamma": number, "factor": number, "patience": {Type: huma.TypeInteger}, "rise": number,
	}}
	return &huma.Schema{OneOf: []*huma.Schema{name, settings}, Description: "A schedule's name, or an object with the name and its settings."}
}

// Schema implements huma.SchemaProvider.
func (groupingSchema) Schema(huma.Registry) *huma.Schema {
	column := &huma.Schema{Type: huma.TypeObject, Required: []string{"column"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{"column": {Type: huma.TypeString, Description: "A header of the table."}}}
	return &huma.Schema{
		OneOf:       []*huma.Schema{{Type: huma.TypeString, Enum: []any{string(data.ByPolymer), string(data.ByGraph), string(data.ByCluster)}}, column},
		Description: "What a fold may not divide: rows of one polymer, of equal graphs, of alike structures (Butina on Morgan counts, Tanimoto 0.6), or with equal cells of a column.",
	}
}

// Schema implements huma.SchemaProvider.
func (namesSchema) Schema(huma.Registry) *huma.Schema {
	name := &huma.Schema{Type: huma.TypeString}
	return &huma.Schema{
		OneOf:       []*huma.Schema{name, {Type: huma.TypeArray, Items: name}},
		Description: "The id of an uploaded dataset or the name of a shipped one, or a list of them to be joined by column.",
	}
}

// Schema implements huma.SchemaProvider.
func (foldsSchema) Schema(huma.Registry) *huma.Schema {
	rows := &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeInteger}}
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true,
		AdditionalProperties: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"train": rows, "validate": rows}, Required: []string{"train", "validate"}},
		Description:          "Rows of each fold by its number, as PolyID's load_kfold reads them.",
	}
}

// Schema implements huma.SchemaProvider.
func (objectSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Nullable: true}
}

// requestSchema is a record as a request: all of it but the required fields may be
// left out.
func requestSchema[T any](r huma.Registry, required ...string) *huma.Schema {
	schema := *r.SchemaFromRef(r.Schema(reflect.TypeFor[T](), true, "").Ref)
	schema.Required = required
	return &schema
}
