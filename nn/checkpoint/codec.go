package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/safetensors"
	"polyid-trainer/nn/train"
)

// format and schema are the metadata by which a file is known.
const (
	format = "polyid-trainer"
	schema = "1"
)

// The sets of tensors of a file, by the prefix of their names.
const (
	setWeights = ""
	setBest    = "best."
	setM       = "adam_m."
	setV       = "adam_v."
	setAverage = "average."
)

// modelJSON is the metadata entry "model".
type modelJSON struct {
	Config   nn.Config        `json:"config"`
	Features featurize.Config `json:"features"`
	Vocab    *featurize.Vocab `json:"vocab"`
	Targets  []Target         `json:"targets"`
	Scaler   data.Scaler      `json:"scaler"`
	Origin   Origin           `json:"origin"`
}

// trainingJSON is the metadata entry "training".
type trainingJSON struct {
	Config   train.Config   `json:"config"`
	Progress train.Progress `json:"progress"`
	Step     int64          `json:"step"`
}

// set is one value of every parameter, under a prefix.
type set struct {
	prefix string
	params *nn.Params
}

// sets lists what a file of m holds, in file order.
func (m *Model) sets() []set {
	s := []set{{setWeights, m.Weights}}
	if t := m.Training; t != nil {
		if t.Best != nil {
			s = append(s, set{setBest, t.Best})
		}
		s = append(s, set{setM, t.M}, set{setV, t.V})
		if t.Average != nil {
			s = append(s, set{setAverage, t.Average})
		}
	}
	return s
}

// Write writes m. Equal models give equal bytes. It costs two passes over the
// weights and the memory of the header.
func Write(w io.Writer, m *Model) error {
	if err := m.Validate(); err != nil {
		return fmt.Errorf("writing a model: %w", err)
	}
	meta, err := m.metadata()
	if err != nil {
		return fmt.Errorf("writing a model: %w", err)
	}
	specs := nn.Layout(m.Config, m.Sizes())
	var tensors []safetensors.Tensor
	for _, s := range m.sets() {
		if s.params == nil || len(s.params.Slab) != specs[len(specs)-1].Off+specs[len(specs)-1].Size() {
			return fmt.Errorf("writing a model: its tensors %q* are missing or not those of its configuration", s.prefix)
		}
		for _, spec := range specs {
			tensors = append(tensors, safetensors.Tensor{Name: s.prefix + spec.Name, Shape: spec.Shape, Data: s.params.Slab[spec.Off:][:spec.Size()]})
		}
	}
	if err := safetensors.Write(w, meta, tensors); err != nil {
		return fmt.Errorf("writing a model: %w", err)
	}
	return nil
}

func (m *Model) metadata() (map[string]string, error) {
	meta := map[string]string{"format": format, "schema_version": schema}
	put := func(key string, value any) error {
		b, err := json.Marshal(value)
		meta[key] = string(b)
		return err
	}
	err := put("model", modelJSON{m.Config, m.Features, m.Vocab, m.Targets, m.Scaler, m.Origin})
	if t := m.Training; t != nil && err == nil {
		err = put("training", trainingJSON{t.Config, t.Progress, t.Step})
	}
	return meta, err
}

// Read reads what Write wrote and refuses everything else, saying why.
func Read(r io.Reader) (*Model, error) {
	m, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("reading a model: %w", err)
	}
	return m, nil
}

func read(r io.Reader) (*Model, error) {
	h, err := safetensors.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(h.Meta)
	if err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	specs := nn.Layout(m.Config, m.Sizes())
	var want []safetensors.Tensor
	for _, s := range m.sets() {
		for _, spec := range specs {
			want = append(want, safetensors.Tensor{Name: s.prefix + spec.Name, Shape: spec.Shape})
		}
	}
	places := safetensors.LayOut(h.Meta, want)
	if err := h.Equal(&places); err != nil {
		return nil, err
	}
	p, err := safetensors.NewPayload(r, &h)
	if err != nil {
		return nil, err
	}
	for _, s := range m.sets() {
		values, err := p.Floats(elementsOf(specs), "the tensors "+s.prefix+"*")
		if err != nil {
			return nil, err
		}
		*s.params = *nn.NewParams(m.Config, m.Sizes())
		copy(s.params.Slab, values)
	}
	return m, p.End(h.Meta[safetensors.SumKey])
}

func elementsOf(specs []nn.Spec) int {
	last := specs[len(specs)-1]
	return last.Off + last.Size()
}

// parseMetadata reads everything but the tensors, which it leaves empty.
func parseMetadata(meta map[string]string) (*Model, error) {
	switch {
	case meta["format"] != format:
		return nil, errors.New("a safetensors file, but not one of this project's: its metadata do not say so")
	case meta["schema_version"] != schema:
		return nil, fmt.Errorf("its schema is version %.20q; this program reads %s", meta["schema_version"], schema)
	}
	known := []string{"format", "schema_version", "model", "training", safetensors.SumKey}
	for key := range meta {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("unknown metadata %.80q", key)
		}
	}
	var j modelJSON
	if err := strictJSON(meta["model"], &j); err != nil {
		return nil, fmt.Errorf("metadata model: %w", err)
	}
	m := &Model{j.Config, j.Features, j.Vocab, j.Targets, j.Scaler, j.Origin, &nn.Params{}, nil}
	if raw, ok := meta["training"]; ok {
		var t trainingJSON
		if err := strictJSON(raw, &t); err != nil {
			return nil, fmt.Errorf("metadata training: %w", err)
		}
		m.Training = &Training{Config: t.Config, Progress: t.Progress, Step: t.Step, M: &nn.Params{}, V: &nn.Params{}}
		if _, ok := t.Progress.Best(); ok {
			m.Training.Best = &nn.Params{}
		}
		if t.Config.AverageWeights != nil {
			m.Training.Average = &nn.Params{}
		}
	}
	return m, nil
}

func strictJSON(s string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it goes on after its end")
	}
	return nil
}
