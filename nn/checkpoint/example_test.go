package checkpoint_test

import (
	"bytes"
	"fmt"
	"log"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
)

// A model is written, and only what Write wrote is read.
func ExampleRead() {
	var tokenizers [2]*featurize.Tokenizer
	for i, words := range [][]string{{"C", "O"}, {"single"}} {
		t, err := featurize.NewTokenizer(words)
		if err != nil {
			log.Fatal(err)
		}
		tokenizers[i] = t
	}
	m := &checkpoint.Model{
		Config:   nn.Config{AtomFeatures: 16, MolFeatures: 4, NumMessages: 2}.WithDefaults(),
		Features: featurize.Config{}.WithDefaults(),
		Vocab:    &featurize.Vocab{Atom: tokenizers[0], Bond: tokenizers[1]},
		Targets:  []checkpoint.Target{{Name: "Tg", Units: "°C"}},
		Scaler:   data.Scaler{Center: []float64{50}, Scale: []float64{20}},
	}
	m.Weights = nn.NewParams(m.Config, m.Sizes())
	var file bytes.Buffer
	if err := checkpoint.Write(&file, m); err != nil {
		log.Fatal(err)
	}
	written := file.Bytes()
	again, err := checkpoint.Read(bytes.NewReader(written))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Targets[0].Name, again.Targets[0].Units, len(again.Weights.Slab) == len(m.Weights.Slab))

	written[len(written)-1] ^= 1
	_, err = checkpoint.Read(bytes.NewReader(written))
	fmt.Println("a changed bit is noticed:", err != nil)
	// Output:
	// Tg °C true
	// a changed bit is noticed: true
}
