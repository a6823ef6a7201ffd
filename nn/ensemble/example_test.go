package ensemble_test

import (
	"fmt"
	"log"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/ensemble"
)

// A 90 % interval from the errors of the folds on rows that they were not trained on.
func ExampleCalibrate() {
	var rows []ensemble.OutOfFold
	for i := range 40 {
		rows = append(rows, ensemble.OutOfFold{Fold: i % 2, Group: int32(i), Measured: []float64{100}, Predicted: []float64{100 + float64(i%10)}})
	}
	c, err := ensemble.Calibrate([]checkpoint.Target{{Name: "Tg", Units: "°C"}}, 2, rows, ensemble.Intervals{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f\n", *c.Interval(0, []float64{60, 62}))
	// Output: {52 71}
}
