package jobs

import (
	"strings"

	"github.com/oklog/ulid/v2"
)

// Prefixes of ids.
const (
	TrainingJobPrefix = "tj_"
	PredictionPrefix  = "pj_"
	DatasetPrefix     = "ds_"
	SearchPrefix      = "se_"
	ScreeningPrefix   = "sc_"
	UploadPrefix      = "up_"
	EventPrefix       = "evt_"
)

// NewID makes an id that sorts by the time it was made.
func NewID(prefix string) string { return prefix + strings.ToLower(ulid.Make().String()) }

// ValidID reports whether id is one that NewID(prefix) can make. What is not is
// never used as part of a key.
func ValidID(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || rest != strings.ToLower(rest) {
		return false
	}
	_, err := ulid.ParseStrict(rest)
	return err == nil
}
