package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/safetensors"
	"polyid-trainer/nn/train"
)

// example is a small model in the middle of its third epoch.
func example(t testing.TB) *Model {
	t.Helper()
	tokenizer := func(words ...string) *featurize.Tokenizer {
		k, err := featurize.NewTokenizer(words)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	m := &Model{
		Config:   nn.Config{Name: nn.Global100, AtomFeatures: 4, BondFeatures: 4, MolFeatures: 3, NumMessages: 2, Dropout: 0.05},
		Features: featurize.Config{}.WithDefaults(),
		Vocab: &featurize.Vocab{
			Atom: tokenizer("('C', 3, 0, 0, False)", "('O', 1, 0, 0, False)"),
			Bond: tokenizer("(rdkit.Chem.rdchem.BondType.DOUBLE, True, False, ['C', 'O'])", "ü<>&\u2028"),
		},
		Targets: []Target{{"Tg", "°C"}, {"log10_Permeability_CO2", ""}},
		Scaler:  data.Scaler{Center: []float64{36, -0.1}, Scale: []float64{40, 1. / 3}},
		Origin:  Origin{Fold: 3, Seed: math.MaxUint64, DataHash: "abc", KernelPaths: []string{"avx2", "generic"}, CodeVersion: "v0.1.0"},
	}
	params := func(seed uint64) *nn.Params {
		p := nn.NewParams(m.Config, m.Sizes())
		r := rand.New(rand.NewPCG(seed, 0))
		for i := range p.Slab {
			p.Slab[i] = float32(r.NormFloat64())
		}
		return p
	}
	w := params(1)
	copy(w.Slab, []float32{float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, math.MaxFloat32, 0x1p-130, float32(math.NaN())})
	nan := train.Measure(math.NaN())
	history := []train.Epoch{
		{Epoch: 1, Loss: 2.1, ValLoss: 0.9, ValMAE: []train.Measure{12.3, nan}, ValMAEScaled: []train.Measure{0.3, nan}, LearningRate: 1e-4, Seconds: 4},
		{Epoch: 2, Loss: 1.1, ValLoss: 0.95, ValMAE: []train.Measure{13, nan}, ValMAEScaled: []train.Measure{0.31, nan}, LearningRate: 1e-4, Seconds: 4},
	}
	c := train.DefaultConfig()
	c.Schedule = train.Schedule{Name: train.ReduceOnPlateau, Patience: 3}.WithDefaults()
	m.Keep(c, &train.Snapshot{
		Progress: train.Progress{History: history, Step: 17, Rows: 17, LossSum: 0.1 + 0.2, Seconds: 0.5, Paths: []string{"avx2", "generic"}},
		State:    nn.State{Step: 383, Weights: w, M: params(2), V: params(3)},
		Best:     params(4),
	})
	return m
}

func encode(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRoundTrip holds a read model to the written one, to the bit, NaN included.
func TestRoundTrip(t *testing.T) {
	checkpoint := example(t)
	published, err := checkpoint.Published()
	if err != nil {
		t.Fatal(err)
	}
	fresh := example(t)
	fresh.Training.Progress = train.Progress{Paths: []string{"avx2"}}
	fresh.Training.Best = nil
	for name, m := range map[string]*Model{"checkpoint": checkpoint, "published": published, "before the first epoch's end": fresh} {
		b := encode(t, m)
		got, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := encode(t, got); !bytes.Equal(again, b) {
			t.Errorf("%s: it is not written as it was read", name)
		}
		want, have := m.sets(), got.sets()
		if len(want) != len(have) {
			t.Fatalf("%s: %d sets of tensors, want %d", name, len(have), len(want))
		}
		for i := range want {
			for k, x := range want[i].params.Slab {
				if y := have[i].params.Slab[k]; math.Float32bits(x) != math.Float32bits(y) {
					t.Fatalf("%s: %s[%d] is %v, want %v", name, want[i].prefix, k, y, x)
				}
			}
		}
		if !reflect.DeepEqual(got.Vocab, m.Vocab) || !reflect.DeepEqual(got.Scaler, m.Scaler) || !reflect.DeepEqual(got.Origin, m.Origin) {
			t.Errorf("%s: %+v, want %+v", name, got, m)
		}
		if m.Training != nil && (!reflect.DeepEqual(got.Training.Config, m.Training.Config) || got.Training.Step != m.Training.Step ||
			math.Float64bits(got.Training.Progress.LossSum) != math.Float64bits(m.Training.Progress.LossSum)) {
			t.Errorf("%s: training %+v, want %+v", name, got.Training, m.Training)
		}
	}
}

// TestDescribe reads no further than the header.
func TestDescribe(t *testing.T) {
	m := example(t)
	b := encode(t, m)
	r := bytes.NewReader(b)
	got, err := Describe(r)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Origin, m.Origin) || len(got.Training.Progress.History) != len(m.Training.Progress.History) || len(got.Weights.Slab) != 0 {
		t.Errorf("described as %+v", got)
	}
	if tensors := 4 * 4 * len(m.Weights.Slab); r.Len() != tensors {
		t.Errorf("%d bytes are left, want those of the tensors, %d", r.Len(), tensors)
	}
	if _, err := Describe(bytes.NewReader(b[:100])); err == nil {
		t.Error("a cut header was described")
	}
}

func TestPublishedIsTheBestEpoch(t *testing.T) {
	m := example(t)
	p, err := m.Published()
	if err != nil {
		t.Fatal(err)
	}
	if p.Training != nil || p.Origin.BestEpoch != 1 || &p.Weights.Slab[0] != &m.Training.Best.Slab[0] {
		t.Errorf("published %+v, want the weights of epoch 1 without training state", p.Origin)
	}
	if _, err := p.Snapshot(); err == nil {
		t.Error("a published model gave a state to resume from")
	}
	m.Training.Progress, m.Training.Best = train.Progress{}, nil
	if _, err := m.Published(); err == nil {
		t.Error("a training without an epoch was published")
	}
}

// TestDamageIsRefused cuts the file at many places and changes single bytes at
// many others.
func TestDamageIsRefused(t *testing.T) {
	b := encode(t, example(t))
	start := 8 + int(binary.LittleEndian.Uint64(b))
	for _, n := range []int{0, 1, 7, 8, 9, start / 2, start - 1, start, start + 1, (start + len(b)) / 2, len(b) - 1} {
		_, err := Read(bytes.NewReader(b[:n]))
		if err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("cut to %d of %d bytes: error %v, want it called truncated", n, len(b), err)
		}
	}
	if _, err := Read(bytes.NewReader(append(bytes.Clone(b), 0))); err == nil || !strings.Contains(err.Error(), "goes on") {
		t.Errorf("one byte more: error %v", err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		i := r.IntN(len(b))
		bad := bytes.Clone(b)
		bad[i] ^= 1 << r.IntN(8)
		m, err := Read(bytes.NewReader(bad))
		if err != nil {
			continue
		}
		// A byte of the header may change without changing what it says.
		if i >= start || !bytes.Equal(encode(t, m), b) {
			t.Fatalf("byte %d changed from %q to %q: accepted", i, b[i], bad[i])
		}
	}
	i := start + 5
	b[i] ^= 1
	if _, err := Read(bytes.NewReader(b)); err == nil || !strings.Contains(err.Error(), "corrupted") {
		t.Errorf("a changed tensor: error %v, want it called corrupted", err)
	}
}

// TestForeignFiles names what is wrong with files that are something else.
func TestForeignFiles(t *testing.T) {
	own := func(change func(meta map[string]string, ts []safetensors.Tensor) []safetensors.Tensor) []byte {
		m := example(t)
		meta, err := m.metadata()
		if err != nil {
			t.Fatal(err)
		}
		var ts []safetensors.Tensor
		for _, s := range m.sets() {
			for name, x := range s.params.Tensors() {
				ts = append(ts, safetensors.Tensor{Name: s.prefix + name, Shape: x.Shape, Data: x.Data})
			}
		}
		ts = change(meta, ts)
		var b bytes.Buffer
		if err := safetensors.Write(&b, meta, ts); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	edit := func(key, old, new string) func(map[string]string, []safetensors.Tensor) []safetensors.Tensor {
		return func(meta map[string]string, ts []safetensors.Tensor) []safetensors.Tensor {
			if !strings.Contains(meta[key], old) {
				t.Fatalf("metadata %s has no %s: %s", key, old, meta[key])
			}
			meta[key] = strings.Replace(meta[key], old, new, 1)
			return ts
		}
	}
	raw := func(header string) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(b, header...)
	}
	for _, x := range []struct {
		name string
		b    []byte
		want string
	}{
		{"HDF5", []byte("\x89HDF\r\n\x1a\n and more"), "HDF5"},
		{"pickle", []byte("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00"), "pickle"},
		{"zip", []byte("PK\x03\x04aaaaaaaa"), "zip"},
		{"pointer", []byte("version https://git-lfs.github.com/spec/v1"), "Git LFS pointer"},
		{"text", []byte("hello, world"), "not a safetensors file"},
		{"no object", raw(`[]`), "not a safetensors file"},
		{"broken JSON", raw(`{"a":`), "header"},
		{"two of a name", raw(`{"a":{},"a":{}}`), "twice"},
		{"more after the header", raw(`{} x`), "goes on"},
		{"other safetensors", raw(`{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`), "not one of this project's"},
		{"newer schema", own(edit("schema_version", "1", "2")), "schema is version"},
		{"unknown field", own(edit("model", `"targets"`, `"extra":1,"targets"`)), "extra"},
		{"unknown metadata", own(func(m map[string]string, ts []safetensors.Tensor) []safetensors.Tensor { m["note"] = "x"; return ts }), "note"},
		{"no vocabulary", own(edit("model", `"vocab":{`, `"vocab":null,"words":{`)), "words"},
		{"another network", own(edit("model", "global100", "global200")), "global200"},
		{"more features", own(edit("model", `"atom_features":4`, `"atom_features":5`)), "shape"},
		{"more blocks", own(edit("model", `"num_messages":2`, `"num_messages":3`)), "tensor"},
		{"a zero scale", own(edit("model", `"scale":[40`, `"scale":[0`)), "scale"},
		{"a target more", own(edit("model", `{"name":"Tg"`, `{"name":"Tm","units":""},{"name":"Tg"`)), "scaler"},
		{"a tensor less", own(func(_ map[string]string, ts []safetensors.Tensor) []safetensors.Tensor { return ts[:len(ts)-1] }), "lacks tensor adam_v."},
		{"a tensor more", own(func(_ map[string]string, ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, safetensors.Tensor{Name: "z", Shape: []int{1}, Data: []float32{0}})
		}), `"z"`},
		{"another order", own(func(_ map[string]string, ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0], ts[1] = ts[1], ts[0]
			return ts
		}), "want bond_embedding"},
	} {
		_, err := Read(bytes.NewReader(x.b))
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want it to say %q", x.name, err, x.want)
		}
	}
}

// TestLyingHeadersCostNothing reads headers that claim far more than follows.
func TestLyingHeadersCostNothing(t *testing.T) {
	b := encode(t, example(t))
	longHeader := binary.LittleEndian.AppendUint64(nil, safetensors.MaxHeader)
	m := example(t)
	m.Config.AtomFeatures, m.Config.BondFeatures, m.Config.NumMessages = nn.MaxFeatures, nn.MaxFeatures, nn.MaxMessages
	meta, err := m.metadata()
	if err != nil {
		t.Fatal(err)
	}
	var ts []safetensors.Tensor
	for _, s := range m.sets() {
		for _, spec := range nn.Layout(m.Config, m.Sizes()) {
			ts = append(ts, safetensors.Tensor{Name: s.prefix + spec.Name, Shape: spec.Shape})
		}
	}
	h := safetensors.LayOut(meta, ts) // some 6 GB a set
	head, err := h.Encode("")
	if err != nil {
		t.Fatal(err)
	}
	huge := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	for name, b := range map[string][]byte{"header": append(longHeader, b...), "tensors": append(huge, b...)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(b))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Fatalf("%s: accepted", name)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%s: %d bytes were allocated on the way to %v", name, took, err)
		}
	}
}

func TestWriteRefusesWhatItCouldNotRead(t *testing.T) {
	for name, mod := range map[string]func(*Model){
		"no targets":      func(m *Model) { m.Targets = nil },
		"no vocabulary":   func(m *Model) { m.Vocab = nil },
		"no weights":      func(m *Model) { m.Weights = nil },
		"foreign weights": func(m *Model) { m.Config.MolFeatures++ },
		"no moments":      func(m *Model) { m.Training.V = nil },
		"no best":         func(m *Model) { m.Training.Best = nil },
		"two of a target": func(m *Model) { m.Targets[1] = m.Targets[0] },
		"bad training":    func(m *Model) { m.Training.Config.Epochs = -1 },
	} {
		m := example(t)
		mod(m)
		if err := Write(io.Discard, m); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// failing is a writer that fails after n bytes.
type failing struct{ n int }

var errFull = errors.New("no space left")

func (f *failing) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriteReportsItsWriter(t *testing.T) {
	m := example(t)
	for n := range len(encode(t, m)) / 1000 {
		if err := Write(&failing{n * 1000}, m); !errors.Is(err, errFull) {
			t.Fatalf("a writer full after %d bytes: error %v", n*1000, err)
		}
	}
}

// TestPythonReads holds the file to Python's safetensors library.
func TestPythonReads(t *testing.T) {
	python := os.Getenv("RDKIT_PYTHON")
	if python == "" {
		t.Skip("set RDKIT_PYTHON to a python with safetensors and numpy, or run .ci/peers")
	}
	m := example(t)
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, encode(t, m), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], "numpy") as f:
    print(json.dumps({
        "metadata": f.metadata(),
        "sums": {k: float(f.get_tensor(k).astype("f8").sum()) for k in f.keys() if k.startswith("best.")},
        "shapes": {k: f.get_tensor(k).shape for k in f.keys()}}))
`, path).Output()
	if err != nil {
		t.Fatalf("python: %v", err)
	}
	var got struct {
		Metadata map[string]string
		Sums     map[string]float64
		Shapes   map[string][]int
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata["format"] != format || len(got.Shapes) != 4*m.Weights.Len() || len(got.Sums) != m.Weights.Len() {
		t.Fatalf("python found %d tensors and metadata %v", len(got.Shapes), got.Metadata)
	}
	for name, x := range m.Training.Best.Tensors() {
		sum := 0.0
		for _, v := range x.Data {
			sum += float64(v)
		}
		if d := sum - got.Sums["best."+name]; math.Abs(d) > 1e-9 || !reflect.DeepEqual(got.Shapes["best."+name], x.Shape) {
			t.Errorf("%s: python has shape %v and a sum off by %v", name, got.Shapes["best."+name], d)
		}
	}
}

func FuzzRead(f *testing.F) {
	m := example(f)
	f.Add(encode(f, m))
	p, err := m.Published()
	if err != nil {
		f.Fatal(err)
	}
	b := encode(f, p)
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		// What is accepted is a model, and is written as something that reads.
		if _, err := Read(bytes.NewReader(encode(t, m))); err != nil {
			t.Fatal(err)
		}
	})
}
