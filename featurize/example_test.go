package featurize_test

import (
	"fmt"
	"log"

	"polyid-trainer/featurize"
)

// A polymer as the network sees it: atoms and directed bonds, with their feature
// strings numbered.
func ExampleFeaturizer_Graph() {
	f, err := featurize.New(featurize.Config{}.WithDefaults())
	if err != nil {
		log.Fatal(err)
	}
	g, err := f.Graph("CO")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(g.Atom), "atoms with their hydrogens,", len(g.Bond), "directed bonds")
	fmt.Println("from", g.Src)
	fmt.Println("to  ", g.Dst)
	// Output:
	// 6 atoms with their hydrogens, 10 directed bonds
	// from [0 0 0 0 1 1 2 3 4 5]
	// to   [1 2 3 4 0 5 0 0 0 1]
}

// Which parts of a polymer occur in no polymer of a training set.
func ExampleDomain() {
	f, err := featurize.New(featurize.Config{}.WithDefaults())
	if err != nil {
		log.Fatal(err)
	}
	var d featurize.Domain
	for _, s := range []string{"CCO", "CCCO"} {
		m, err := f.Read(s)
		if err != nil {
			log.Fatal(err)
		}
		d.Add(m)
	}
	for _, s := range []string{"CCO", "CCCl"} {
		m, err := f.Read(s)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s, len(d.Unseen(m)), "unseen fragments")
	}
	// Output:
	// CCO 0 unseen fragments
	// CCCl 3 unseen fragments
}
