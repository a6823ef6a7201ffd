package revision

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
)

// Known is a training polymer and what was measured of it.
type Known struct {
	Polymer  string    // as its first row states it
	Rows     int       // of it
	Measured []float64 // by target: the mean over its rows; NaN = unmeasured
}

// readKnown reads the training polymers out of predictions.csv: those that folds
// validated, without the hold-out rows. It leaves r.Known nil where the file is not
// there, or holds no structures.
func (r *Revision) readKnown(dir fs.FS) error {
	body, err := readFile(dir, PredictionsPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.parseKnown(body); err != nil {
		return fmt.Errorf("%s: %w", PredictionsPath, err)
	}
	return nil
}

func (r *Revision) parseKnown(body []byte) error {
	in := csv.NewReader(bytes.NewReader(body))
	in.ReuseRecord = true
	head, err := in.Read()
	if err != nil {
		return err
	}
	group, fold, polymer := slices.Index(head, "group"), slices.Index(head, "fold"), slices.Index(head, "polymer")
	var column []int
	for _, t := range r.Config.Targets {
		column = append(column, slices.Index(head, t.Name))
	}
	if group < 0 || fold < 0 || polymer < 0 || slices.Contains(column, -1) {
		return nil
	}
	of := map[string]int{} // index in known, by group
	var known []Known
	var count [][]int
	for {
		line, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if line[fold] == "holdout" {
			continue
		}
		k, seen := of[line[group]]
		if !seen {
			k = len(known)
			of[line[group]] = k
			known = append(known, Known{Polymer: line[polymer], Measured: make([]float64, len(column))})
			count = append(count, make([]int, len(column)))
		}
		known[k].Rows++
		for t, c := range column {
			if line[c] == "" {
				continue
			}
			y, err := strconv.ParseFloat(line[c], 64)
			if err != nil {
				return err
			}
			count[k][t]++
			known[k].Measured[t] += (y - known[k].Measured[t]) / float64(count[k][t])
		}
	}
	for k := range known {
		for t, n := range count[k] {
			if n == 0 {
				known[k].Measured[t] = math.NaN()
			}
		}
	}
	r.Known = known
	return nil
}
