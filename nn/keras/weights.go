package keras

import (
	"errors"
	"fmt"
	"slices"

	"polyid-trainer/nn"
	"polyid-trainer/nn/keras/internal/hdf5"
)

// array is one weight of a layer.
type array struct {
	name   string
	shape  []int
	values []float32
}

// readWeights reads a model that Keras saved as .h5: its network's settings and
// its weights. Within a layer, weights are told apart by their order, as Keras
// does; their names are free.
func readWeights(b []byte) (nn.Config, nn.Sizes, *nn.Params, error) {
	fail := func(err error) (nn.Config, nn.Sizes, *nn.Params, error) {
		return nn.Config{}, nn.Sizes{}, nil, err
	}
	f, err := hdf5.Parse(b)
	if err != nil {
		return fail(err)
	}
	root, err := f.Root()
	if err != nil {
		return fail(err)
	}
	raw, ok, err := root.Strings("model_config")
	if err != nil {
		return fail(err)
	}
	if !ok || len(raw) != 1 {
		return fail(errors.New("it has no model_config: only whole models are read, not weights alone"))
	}
	net, err := parseNetwork(raw[0])
	if err != nil {
		return fail(err)
	}
	r, err := net.roles()
	if err != nil {
		return fail(err)
	}
	group, err := root.Child("model_weights")
	if err != nil {
		return fail(err)
	}
	var arrays []array
	for _, layer := range r.layers() {
		got, err := layerWeights(group, layer)
		if err != nil {
			return fail(err)
		}
		arrays = append(arrays, got...)
	}
	return assemble(&r, arrays)
}

// layerWeights reads the weights of one layer in the order of its weight_names.
func layerWeights(group *hdf5.Object, layer string) ([]array, error) {
	g, err := group.Child(layer)
	if err != nil {
		return nil, err
	}
	names, err := nameList(g, "weight_names")
	if err != nil {
		return nil, err
	}
	out := make([]array, 0, len(names))
	for _, name := range names {
		d, err := g.Child(name)
		if err != nil {
			return nil, err
		}
		a := array{name: layer + "/" + name}
		if a.shape, a.values, err = d.Floats(); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// nameList reads a list of names, which Keras splits over name0, name1, … when
// it does not fit an attribute's 64 KiB.
func nameList(o *hdf5.Object, name string) ([]string, error) {
	parts, whole, err := o.Strings(name)
	for i, more := 0, !whole; more && err == nil; i++ {
		var part [][]byte
		part, more, err = o.Strings(fmt.Sprintf("%s%d", name, i))
		parts = append(parts, part...)
	}
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("it lacks %s", name)
	}
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = string(p)
	}
	return names, nil
}

// assemble infers the network's settings from the shapes of its weights and
// puts them where nn.Layout has them.
func assemble(r *roles, arrays []array) (nn.Config, nn.Sizes, *nn.Params, error) {
	fail := func(err error) (nn.Config, nn.Sizes, *nn.Params, error) {
		return nn.Config{}, nn.Sizes{}, nil, err
	}
	// Bond and atom embedding, then query and value of the first pooling.
	if len(arrays) < 6 || len(arrays[0].shape) != 2 || len(arrays[1].shape) != 2 || len(arrays[4].shape) != 2 {
		return fail(errors.New("its embeddings and first pooling are not those of " + nn.Global100))
	}
	c := nn.Config{
		Name:         nn.Global100,
		AtomFeatures: arrays[1].shape[1],
		BondFeatures: arrays[0].shape[1],
		MolFeatures:  arrays[4].shape[1],
		NumMessages:  len(r.edge),
		Dropout:      r.dropout,
	}
	s := nn.Sizes{AtomClasses: arrays[1].shape[0], BondClasses: arrays[0].shape[0], Targets: len(r.heads)}
	if err := errors.Join(c.Validate(), s.Validate()); err != nil {
		return fail(err)
	}
	specs := nn.Layout(c, s)
	if len(arrays) != len(specs) {
		return fail(fmt.Errorf("it has %d weights, want %d", len(arrays), len(specs)))
	}
	for i, a := range arrays {
		if !slices.Equal(a.shape, specs[i].Shape) {
			return fail(fmt.Errorf("%s has shape %v, want %v for %s", a.name, a.shape, specs[i].Shape, specs[i].Name))
		}
	}
	p := nn.NewParams(c, s)
	for i, a := range arrays {
		copy(p.Slab[specs[i].Off:], a.values)
	}
	return c, s, p, nil
}
