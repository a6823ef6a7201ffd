package train_test

import (
	"context"
	"fmt"
	"log"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/train"
)

// One fold of PolyID's own table, trained for two epochs by a small network.
func ExampleFit() {
	ctx := context.Background()
	config := nn.Config{AtomFeatures: 16, MolFeatures: 4, NumMessages: 2}.WithDefaults()
	f, err := featurize.New(featurize.Config{}.WithDefaults())
	if err != nil {
		log.Fatal(err)
	}
	table, polymers, err := dataset.PolyID(ctx, f, config.NumMessages)
	if err != nil {
		log.Fatal(err)
	}
	split, err := table.Partition(data.PartitionRequest{Folds: 5})
	if err != nil {
		log.Fatal(err)
	}
	fold, err := polymers.Fold(table, split.Folds[0])
	if err != nil {
		log.Fatal(err)
	}
	engine, err := cpu.New(config, fold.Sizes(), train.FoldSeed(0, 0))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	result, err := train.Fit(ctx, engine, train.Data{Train: fold.Train, Validate: fold.Validate, Scale: fold.Scaler.Scale},
		train.Config{Epochs: 2}.WithDefaults(), train.Options{})
	if err != nil {
		log.Fatal(err)
	}
	history := result.Progress.History
	fmt.Println(len(history), "epochs, better:", history[1].ValLoss < history[0].ValLoss)
	// Output: 2 epochs, better: true
}
