package nn_test

import (
	"fmt"

	"polyid-trainer/nn"
)

// The published network on the tokens and targets of PolyID's table.
func ExampleNewParams() {
	c := nn.Config{}.WithDefaults()
	p := nn.NewParams(c, nn.Sizes{AtomClasses: 9, BondClasses: 13, Targets: 2})
	fmt.Println(c.Name, c.AtomFeatures, c.NumMessages)
	fmt.Println(len(p.Slab), "weights")
	// Output:
	// global100 128 12
	// 3453431 weights
}

// An invalid setting is refused by its name.
func ExampleConfig_Validate() {
	fmt.Println(nn.Config{AtomFeatures: 128, MolFeatures: 8, NumMessages: -1}.WithDefaults().Validate())
	// Output: num_messages: -1 is not between 1 and 64
}
