package sparse_test

import (
	"fmt"
	"testing"

	"polyid-trainer/nn/sparse"
)

func ExampleMatrix() {
	m := sparse.Matrix{Cols: 4}
	m.Append([]int32{0, 3}, []float32{1, 2})
	m.Append(nil, nil)
	row := make([]float32, m.Cols)
	m.Dense(0, row)
	fmt.Println(m.Rows(), row)
	// Output: 2 [1 0 0 2]
}

func TestAppendRefuses(t *testing.T) {
	for name, index := range map[string][]int32{"descending": {2, 1}, "twice": {1, 1}, "outside": {4}, "negative": {-1}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("columns %v were accepted", index)
				}
			}()
			m := sparse.Matrix{Cols: 4}
			m.Append(index, make([]float32, len(index)))
		})
	}
}
