package cpu_test

import (
	"fmt"
	"log"

	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
)

// Two engines of one seed begin with the same weights.
func ExampleNew() {
	config, sizes := nn.Config{AtomFeatures: 16, MolFeatures: 4, NumMessages: 2}.WithDefaults(), nn.Sizes{AtomClasses: 9, BondClasses: 13, Targets: 2}
	var states [2]nn.State
	for i := range states {
		e, err := cpu.New(config, sizes, 7)
		if err != nil {
			log.Fatal(err)
		}
		if err := e.State(&states[i]); err != nil {
			log.Fatal(err)
		}
		if err := e.Close(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("step", states[0].Step, "equal", states[0].Weights.Slab[100] == states[1].Weights.Slab[100])
	// Output: step 0 equal true
}
