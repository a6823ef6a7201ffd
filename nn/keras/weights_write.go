package keras

import (
	"fmt"
	"strings"

	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras/internal/hdf5"
)

// What the file says of itself: Keras reads weights by the conventions of the
// version that wrote them.
const (
	kerasVersion = "2.14.0"
	kerasBackend = "tensorflow"
)

// marshalWeights writes a model as Keras 2 saves one to .h5, without its
// optimizer: configuration and weights. Keras matches weights by the order of
// layers and, within one, of weights; the weights' names are nn.Layout's.
func marshalWeights(m *checkpoint.Model) ([]byte, error) {
	config, r, err := describe(m.Config, m.Sizes(), targetNames(m.Targets))
	if err != nil {
		return nil, err
	}
	root := &hdf5.Group{}
	root.SetText("model_config", string(config))
	group := root.AddGroup("model_weights")
	for _, g := range []*hdf5.Group{root, group} {
		g.SetText("keras_version", kerasVersion)
		g.SetText("backend", kerasBackend)
	}
	layers := r.layers()
	group.SetNames("layer_names", layers)
	specs := nn.Layout(m.Config, m.Sizes())
	for _, layer := range layers {
		n := 1
		for n < len(specs) && layerPart(specs[n].Name) == layerPart(specs[0].Name) {
			n++
		}
		g := group.AddGroup(layer)
		names := make([]string, n)
		for i, s := range specs[:n] {
			names[i] = s.Name
			g.AddFloats(s.Name, s.Shape, m.Weights.Slab[s.Off:s.Off+s.Size()])
		}
		g.SetNames("weight_names", names)
		specs = specs[n:]
	}
	if len(specs) > 0 {
		return nil, fmt.Errorf("%s is the weight of no layer", specs[0].Name)
	}
	return hdf5.Marshal(root)
}

// layerPart is the part of a tensor's name, as nn.Layout has it, that names its
// layer: "block3.edge" of "block3.edge.concat.dense1.kernel", "head0" of
// "head0.bias".
func layerPart(name string) string {
	parts := strings.SplitN(name, ".", 3)
	if strings.HasPrefix(name, "block") {
		return parts[0] + "." + parts[1]
	}
	return parts[0]
}
