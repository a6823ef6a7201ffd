package datasets

import (
	"context"
	"errors"
	"fmt"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
)

// shipped describes a dataset of the program's own, as an uploaded one.
func shipped(s data.Dataset) (*Dataset, error) {
	sheet := s.Sheet()
	d := &Dataset{ID: s.Name, Name: s.Name, Hash: sheet.Hash(), Shipped: true,
		Origin: &Origin{Description: s.Description, Source: s.Source, License: s.License, Limits: s.Limits}}
	t, report, err := data.Parse(context.Background(), []*data.Sheet{sheet}, data.Columns{}, data.Options{Identify: structure.Identity})
	var defects *data.DefectsError
	if err != nil && !errors.As(err, &defects) {
		return nil, fmt.Errorf("dataset %s: %w", s.Name, err)
	}
	d.describe(sheet, t, report)
	return d, nil
}
