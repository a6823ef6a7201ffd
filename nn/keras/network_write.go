package keras

import (
	"encoding/json"
	"fmt"
	"regexp"

	"polyid-trainer/nn"
)

// architecture is a functional model's configuration as Keras 2 takes it. Keys
// that are absent stand for Keras' defaults.
type architecture struct {
	Class  string `json:"class_name"`
	Config struct {
		Name    string      `json:"name"`
		Layers  []jsonLayer `json:"layers"`
		Inputs  [][3]any    `json:"input_layers"`
		Outputs [][3]any    `json:"output_layers"`
	} `json:"config"`
}

type jsonLayer struct {
	Class   string         `json:"class_name"`
	Name    string         `json:"name"`
	Config  map[string]any `json:"config"`
	Inbound [][][4]any     `json:"inbound_nodes"`
}

// add appends a layer, of whose configuration settings are all but the name, and
// returns its name.
func (a *architecture) add(class, name string, settings map[string]any, inputs ...string) string {
	l := jsonLayer{Class: class, Name: name, Config: map[string]any{"name": name}, Inbound: [][][4]any{}}
	for k, v := range settings {
		l.Config[k] = v
	}
	if len(inputs) > 0 {
		node := make([][4]any, len(inputs))
		for i, in := range inputs {
			node[i] = [4]any{in, 0, 0, struct{}{}}
		}
		l.Inbound = append(l.Inbound, node)
	}
	a.Config.Layers = append(a.Config.Layers, l)
	return name
}

// numbered is how Keras names the layers of a class: add, add_1, add_2, …
func numbered(class string, i int) string {
	if i == 0 {
		return class
	}
	return fmt.Sprintf("%s_%d", class, i)
}

// describe is the configuration of PolyID's global100 with the layers, in the
// order and by the names, that PolyID gives it, and its weighted layers.
func describe(c nn.Config, s nn.Sizes, targets []string) ([]byte, *roles, error) {
	a := &architecture{Class: "Functional"}
	a.Config.Name = "model"
	r := &roles{dropout: c.Dropout}
	type settings = map[string]any
	for _, in := range []struct {
		name  string
		shape []any
	}{{"atom", []any{nil, nil}}, {"bond", []any{nil, nil}}, {"connectivity", []any{nil, nil, 2}}} {
		a.add(classInput, in.name, settings{"batch_input_shape": in.shape, "dtype": "int64", "sparse": false, "ragged": false})
		a.Config.Inputs = append(a.Config.Inputs, [3]any{in.name, 0, 0})
	}
	embed := func(in string, classes int) string {
		return a.add(classEmbed, in+"_embedding", settings{"input_dim": classes, "output_dim": c.AtomFeatures, "mask_zero": true}, in)
	}
	r.bond, r.atom = embed("bond", s.BondClasses), embed("atom", s.AtomClasses)

	pool := func(inputs ...string) string {
		name := a.add(classGlobal, numbered("global_update", len(r.pool)), settings{"units": c.MolFeatures, "num_heads": 1, "dropout": 0}, inputs...)
		r.pool = append(r.pool, name)
		return name
	}
	sums := 0
	add := func(old, change string) string {
		sums++
		return a.add(classAdd, numbered("add", sums-1), nil, old, change)
	}
	atom, bond := r.atom, r.bond
	global := pool(atom, bond, "connectivity")
	for j := range c.NumMessages {
		global = add(global, pool(atom, bond, "connectivity", global))
		edge := a.add(classEdge, numbered("edge_update", j), settings{"dropout": 0}, atom, bond, "connectivity", global)
		r.edge = append(r.edge, edge)
		bond = add(bond, edge)
		if j == c.NumMessages-1 {
			break // nothing reads the atoms after the last block
		}
		node := a.add(classNode, numbered("node_update", j), settings{"dropout": 0}, atom, bond, "connectivity", global)
		r.node = append(r.node, node)
		atom = add(atom, node)
	}

	var drops, outputs []string
	for i := range targets {
		drops = append(drops, a.add(classDrop, numbered("dropout", i), settings{"rate": c.Dropout}, bond))
	}
	for i := range targets {
		r.heads = append(r.heads, a.add(classDense, fmt.Sprintf("bondwise_values_%d", i), settings{"units": 1}, drops[i]))
	}
	for i, name := range a.outputNames(targets) {
		outputs = append(outputs, a.add(classPool, name, nil, r.heads[i]))
	}
	out := outputs[0]
	if len(outputs) > 1 {
		out = a.add(classConcat, "all_predictions", settings{"axis": -1}, outputs...)
	}
	a.Config.Outputs = [][3]any{{out, 0, 0}}
	b, err := json.Marshal(a)
	return b, r, err
}

// layerName is what TensorFlow takes as the name of a layer.
var layerName = regexp.MustCompile(`^[A-Za-z0-9.][A-Za-z0-9_.-]*$`)

// outputNames names the layers of the outputs: as PolyID does by their targets,
// which tells a reader of the file what they are, unless one of those is no name
// of a layer, or another layer's.
func (a *architecture) outputNames(targets []string) []string {
	taken := map[string]bool{"all_predictions": true}
	for _, l := range a.Config.Layers {
		taken[l.Name] = true
	}
	for _, t := range targets {
		if taken[t] || !layerName.MatchString(t) {
			names := make([]string, len(targets))
			for i := range names {
				names[i] = fmt.Sprintf("output_%d", i)
			}
			return names
		}
	}
	return targets
}
