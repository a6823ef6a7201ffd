package data

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Columns states what a table's columns are, where names do not say it. The
// zero value finds everything by name.
type Columns struct {
	// Targets are the properties to learn, by header or alias, in the order of
	// the network's heads. Empty is every numeric column that is a property.
	Targets []string `json:"prediction_columns,omitempty"`

	// Roles names columns that the table calls otherwise.
	Roles Roles `json:"columns,omitzero"`

	// Units states a target's units where the table does not: either units or
	// the header of the column that holds them.
	Units map[string]string `json:"units,omitempty"`

	// Conditions are the columns of a measurement's conditions, by header: numbers
	// that a property depends on beside the structure, such as a temperature.
	Conditions []string `json:"conditions,omitempty"`

	// Weights is the column of the rows' weights, which are ≥ 0; "" is none.
	Weights string `json:"weights,omitempty"`

	// Censored reads cells such as >300 as bounds of a value, not as defects.
	Censored bool `json:"censored,omitempty"`
}

// Roles holds headers; an empty one is found by name.
type Roles struct {
	Polymer      string `json:"smiles_polymer,omitempty"`
	RepeatUnit   string `json:"smiles_repeat_unit,omitempty"`
	Monomers     string `json:"monomers,omitempty"`
	Mechanism    string `json:"mechanism,omitempty"`
	PM           string `json:"pm,omitempty"`
	Distribution string `json:"distribution,omitempty"`
	DP           string `json:"dp,omitempty"`
	Replicate    string `json:"replicate_structure,omitempty"`
	Property     string `json:"property,omitempty"` // with Value: the table is long
	Value        string `json:"value,omitempty"`
	Units        string `json:"units,omitempty"` // of a long table
}

// stated lists the roles' headers in the order of role.
func (r Roles) stated() [roles]string {
	return [roles]string{
		rolePolymer: r.Polymer, roleRepeatUnit: r.RepeatUnit, roleMonomers: r.Monomers, roleMechanism: r.Mechanism,
		rolePM: r.PM, roleDistribution: r.Distribution, roleDP: r.DP, roleReplicate: r.Replicate,
		roleProperty: r.Property, roleValue: r.Value, roleUnits: r.Units,
	}
}

// roleFields are the JSON names of Roles, for messages.
var roleFields = [roles]string{"smiles_polymer", "smiles_repeat_unit", "monomers", "mechanism", "pm", "distribution", "dp",
	"replicate_structure", "property", "value", "units"}

// Headers are the headers that are stated, by the role's field.
func (r Roles) Headers() map[string]string {
	out := map[string]string{}
	for i, header := range r.stated() {
		if header != "" {
			out[roleFields[i]] = header
		}
	}
	return out
}

// Within is what c states of columns that a sheet has: the structure and units,
// as a model remembers them of the table it was trained on.
func (c Columns) Within(s *Sheet) Columns {
	out := Columns{Roles: c.Roles, Units: c.Units, Conditions: c.Conditions, Censored: c.Censored}
	for _, h := range out.Roles.fields() {
		if !slices.Contains(s.Header, *h) {
			*h = ""
		}
	}
	return out
}

// fields are the headers of all roles.
func (r *Roles) fields() []*string {
	return []*string{&r.Polymer, &r.RepeatUnit, &r.Monomers, &r.Mechanism, &r.PM, &r.Distribution, &r.DP, &r.Replicate, &r.Property, &r.Value, &r.Units}
}

// WithDefaults trims the names; everything unset is found by name.
func (c Columns) WithDefaults() Columns {
	c.Targets, c.Conditions, c.Weights = trimAll(c.Targets), trimAll(c.Conditions), trim(c.Weights)
	for _, h := range c.Roles.fields() {
		*h = trim(*h)
	}
	return c
}

// Validate reports, joined, every [SettingError] that can be seen without the
// table.
func (c Columns) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &SettingError{field, fmt.Sprintf(format, args...)})
	}
	for field, n := range map[string]int{"prediction_columns": len(c.Targets), "units": len(c.Units), "conditions": len(c.Conditions)} {
		if n > defaultMaxColumns { // what follows lists a problem for each
			bad(field, "has %d entries, more than the %d columns of a table", n, defaultMaxColumns)
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	seen := make(map[string]string)
	for i, t := range c.Targets {
		field := fmt.Sprintf("prediction_columns/%d", i)
		name, _ := splitUnit(t)
		switch {
		case t == "":
			bad(field, "is empty")
		case isReserved(name):
			bad(field, "%s is no property", t)
		case seen[property(name)] != "":
			bad(field, "%s is the same property as %s", t, seen[property(name)])
		}
		seen[property(name)] = t
	}
	for i, name := range c.Conditions {
		field := fmt.Sprintf("conditions/%d", i)
		switch {
		case name == "":
			bad(field, "is empty")
		case slices.Contains(c.Conditions[:i], name):
			bad(field, "%s is listed twice", name)
		case slices.Contains(c.Targets, name):
			bad(field, "%s is one of prediction_columns: a property cannot be a condition of itself", name)
		}
	}
	if c.Weights != "" && slices.Contains(c.Targets, c.Weights) {
		bad("weights", "%s is one of prediction_columns", c.Weights)
	}
	roleOf := make(map[string]string)
	for r, h := range c.Roles.stated() {
		if h == "" {
			continue
		}
		if first, ok := roleOf[h]; ok {
			bad("columns/"+roleFields[r], "%s is already the column of %s", h, first)
		}
		roleOf[h] = roleFields[r]
	}
	if (c.Roles.Property == "") != (c.Roles.Value == "") {
		bad("columns", "property and value go together")
	}
	for _, t := range slices.Sorted(maps.Keys(c.Units)) {
		if trim(c.Units[t]) == "" {
			bad("units/"+t, "is empty")
		}
	}
	return errors.Join(errs...)
}
