package revision

import (
	"errors"
	"fmt"
	"io/fs"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras"
)

// Import reads an ensemble that PolyID saved, of a directory that holds at least
// the files that keras.Wanted names. place says where it is from: "a/b at 0123…".
func Import(dir fs.FS, place string) (*Revision, error) {
	models, err := keras.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("import of PolyID's files: %w", err)
	}
	return Imported(models, "files that PolyID saved, in "+place)
}

// Imported is a revision of models that another program trained and that come
// with nothing besides. source says what they were read from, for config.json and
// the card: "files that PolyID saved in a/b at 0123…". What a revision usually
// has more is absent, with the reason.
func Imported(models []*checkpoint.Model, source string) (*Revision, error) {
	if len(models) == 0 {
		return nil, errors.New("import: there are no models")
	}
	m := models[0]
	r := &Revision{Models: models, Config: Config{
		Imported: source, Targets: m.Targets, Model: m.Config, Features: m.Features,
		Absent: map[string]string{
			CalibrationPath: "the model is imported, without the out-of-fold residuals that intervals come from",
			DomainPath:      "the model is imported, without the Morgan hashes of what it was trained on",
			PredictionsPath: "the model is imported, without out-of-fold predictions",
			FoldsPath:       "the model is imported, without its split",
		},
	}}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return r, nil
}
