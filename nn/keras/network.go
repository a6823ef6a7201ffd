package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"polyid-trainer/nn"
)

// network is the part of a Keras functional model's configuration that says
// which of its layers is which of global100's.
type network struct {
	layers  map[string]*layer
	order   []*layer // as saved, which is the order of Keras' model.layers
	outputs []string
}

// layer is one layer of a functional model.
type layer struct {
	name, class string
	inputs      []string // names of the layers it reads, in order
	rate        float64  // of a Dropout
	heads       int      // of a GlobalUpdate; 0 if it does not say
}

// The layer classes global100 is made of.
const (
	classInput  = "InputLayer"
	classEmbed  = "Embedding"
	classGlobal = "GlobalUpdate"
	classEdge   = "EdgeUpdate"
	classNode   = "NodeUpdate"
	classDrop   = "Dropout"
	classDense  = "Dense"
	classPool   = "GlobalAveragePooling1D"
	classConcat = "Concatenate"
	classAdd    = "Add"
)

// parseNetwork reads the attribute model_config.
func parseNetwork(raw []byte) (*network, error) {
	var doc struct {
		Class  string `json:"class_name"`
		Config struct {
			Layers []struct {
				Class  string `json:"class_name"`
				Name   string `json:"name"`
				Config struct {
					Rate  float64 `json:"rate"`
					Heads int     `json:"num_heads"`
				} `json:"config"`
				Inbound []json.RawMessage `json:"inbound_nodes"`
			} `json:"layers"`
			Outputs json.RawMessage `json:"output_layers"`
		} `json:"config"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("model_config: %w", err)
	}
	if doc.Class != "Functional" && doc.Class != "Model" {
		return nil, fmt.Errorf("model_config: a %q model, not a functional one", doc.Class)
	}
	n := &network{layers: map[string]*layer{}}
	for _, l := range doc.Config.Layers {
		// A registered class carries its package: "nfp>GlobalUpdate".
		class := l.Class[strings.LastIndexByte(l.Class, '>')+1:]
		switch class {
		case classInput, classEmbed, classGlobal, classEdge, classNode, classDrop, classDense, classPool, classConcat, classAdd:
		default:
			return nil, fmt.Errorf("layer %.80q is a %.80q, which %s does not have", l.Name, l.Class, nn.Global100)
		}
		if n.layers[l.Name] != nil {
			return nil, fmt.Errorf("two layers are called %.80q", l.Name)
		}
		made := &layer{name: l.Name, class: class, rate: l.Config.Rate, heads: l.Config.Heads}
		if len(l.Inbound) > 1 {
			return nil, fmt.Errorf("layer %.80q is used more than once", l.Name)
		}
		if len(l.Inbound) == 1 {
			var err error
			if made.inputs, err = nodeNames(l.Inbound[0]); err != nil {
				return nil, fmt.Errorf("layer %.80q: inbound_nodes: %w", l.Name, err)
			}
		}
		n.layers[l.Name] = made
		n.order = append(n.order, made)
	}
	var err error
	if n.outputs, err = nodeNames(doc.Config.Outputs); err != nil {
		return nil, fmt.Errorf("model_config: output_layers: %w", err)
	}
	return n, nil
}

// nodeNames reads [["layer", 0, 0, …], …], or one such entry alone.
func nodeNames(raw json.RawMessage) ([]string, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, err
	}
	if len(entries) > 0 && entries[0][0] == '"' {
		entries = []json.RawMessage{raw}
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		var fields []json.RawMessage
		if err := json.Unmarshal(e, &fields); err != nil {
			return nil, err
		}
		var name string
		if len(fields) == 0 {
			return nil, errors.New("an empty entry")
		}
		if err := json.Unmarshal(fields[0], &name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// roles finds each of global100's weighted layers: bond and atom embedding, the
// poolings, edge and node updates block by block, and the heads in the order of
// the outputs, which are the targets.
func (n *network) roles() (roles, error) {
	r := roles{}
	for _, l := range n.order {
		switch l.class {
		case classEmbed:
			if len(l.inputs) != 1 {
				return r, fmt.Errorf("embedding %.80q reads %d layers", l.name, len(l.inputs))
			}
			switch l.inputs[0] {
			case "bond":
				r.bond = l.name
			case "atom":
				r.atom = l.name
			default:
				return r, fmt.Errorf("embedding %.80q reads %.80q, neither atom nor bond", l.name, l.inputs[0])
			}
		case classGlobal:
			if l.heads > 1 {
				return r, fmt.Errorf("layer %.80q has %d attention heads; %s has one", l.name, l.heads, nn.Global100)
			}
			r.pool = append(r.pool, l.name)
		case classEdge:
			r.edge = append(r.edge, l.name)
		case classNode:
			r.node = append(r.node, l.name)
		case classDrop:
			r.dropout = l.rate
		}
	}
	blocks := len(r.edge)
	if r.bond == "" || r.atom == "" || blocks == 0 || len(r.pool) != blocks+1 || len(r.node) != blocks-1 {
		return r, fmt.Errorf("not %s: %d poolings, %d edge and %d node updates", nn.Global100, len(r.pool), blocks, len(r.node))
	}
	var err error
	r.heads, err = n.heads()
	return r, err
}

// heads follows the outputs back to the Dense layers that make them.
func (n *network) heads() ([]string, error) {
	pools := n.outputs
	if len(pools) == 1 {
		if l := n.layers[pools[0]]; l != nil && l.class == classConcat {
			pools = l.inputs
		}
	}
	var heads []string
	for _, name := range pools {
		l := n.layers[name]
		if l == nil || l.class != classPool || len(l.inputs) != 1 {
			return nil, fmt.Errorf("output %.80q is not a mean over bonds", name)
		}
		if d := n.layers[l.inputs[0]]; d == nil || d.class != classDense {
			return nil, fmt.Errorf("output %.80q does not come from a Dense layer", name)
		}
		heads = append(heads, l.inputs[0])
	}
	return heads, nil
}

// roles names the layers that hold global100's weights.
type roles struct {
	bond, atom       string
	pool, edge, node []string
	heads            []string
	dropout          float64
}

// layers lists them in the order of nn.Layout.
func (r *roles) layers() []string {
	out := []string{r.bond, r.atom, r.pool[0]}
	for j, edge := range r.edge {
		out = append(out, r.pool[j+1], edge)
		if j < len(r.node) {
			out = append(out, r.node[j])
		}
	}
	return append(out, r.heads...)
}
