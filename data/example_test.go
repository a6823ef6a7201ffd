package data_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"polyid-trainer/data"
)

func ExampleRead() {
	file := `smiles_polymer,Tg (K),Tg_pred
CCO,300,301
CCCO,31O,305
,320,306
`
	_, report, err := data.Read(context.Background(), strings.NewReader(file), "", data.Columns{}, data.Options{MinValues: 2})
	fmt.Println("refused:", err != nil)
	for _, d := range report.Defects {
		fmt.Println(d)
	}
	// Output:
	// refused: true
	// row 3, column Tg (K): "31O" has something after the number that is no unit known here; units go into a column of their own or the header
	// row 4, column smiles_polymer: the row does not say what the polymer is
}

func ExampleTable_Partition() {
	shipped, _ := data.Shipped("stereopolymer_input_nopush")
	table, _, err := data.Parse(context.Background(), []*data.Sheet{shipped.Sheet()}, data.Columns{}, data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	p, err := table.Partition(data.PartitionRequest{Folds: 5, Holdout: &data.Holdout{Fraction: 0.1}})
	if err != nil {
		log.Fatal(err)
	}
	scaler, err := table.FitScaler(p.Folds[0].Train)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(p.Folds), "folds,", len(p.Holdout), "rows held out,", len(scaler.Center), "targets scaled")
	// Output: 5 folds, 22 rows held out, 2 targets scaled
}
