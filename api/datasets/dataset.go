package datasets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
)

// Dataset describes a table. Its JSON is the API's.
type Dataset struct {
	ID     string   `json:"id"`     // "ds_…", or the name of a shipped one
	Object string   `json:"object"` // "dataset"
	Owner  string   `json:"owner"`  // name of the token that added it; "" of a shipped one, or of one from before there were owners
	Name   string   `json:"name"`
	Notes  string   `json:"notes"`
	Tags   []string `json:"tags" nullable:"false"`
	// SharedWith are the names of tokens that may read it, or "*".
	SharedWith []string       `json:"shared_with" nullable:"false"`
	Bytes      int64          `json:"bytes"` // as it is stored; 0 if that is not known
	Hash       string         `json:"hash"`  // sha256 of the content, see data.Sheet.Hash
	Rows       int            `json:"rows"`
	Polymers   int            `json:"polymers"` // distinct ones
	Columns    []string       `json:"columns"`  // the header
	Structure  []string       `json:"structure_columns"`
	Notations  map[string]int `json:"notations"` // rows by the notation their polymer is built from
	Targets    []Target       `json:"targets"`
	Defects    []data.Defect  `json:"defects"` // what a job must see to, by its choice of columns and units; of rows that were kept the first 100

	// NotProposed are numeric columns that are no targets unless a job names them.
	NotProposed []data.Unlikely `json:"not_proposed"`

	Warnings  []data.Warning `json:"warnings"` //
	Shipped   bool           `json:"shipped"`
	Library   bool           `json:"library,omitempty"` // rows to screen, uploaded in a stream and checked when they are screened
	Origin    *Origin        `json:"origin"`            // of a shipped one
	CreatedAt *time.Time     `json:"created_at"`        // null for a shipped one
}

// Origin is where a shipped dataset comes from.
type Origin struct {
	Description string `json:"description"`
	Source      string `json:"source"`
	License     string `json:"license"`
	Limits      string `json:"limits,omitempty"` // what a user must know of the values
}

// Target is a column that can be learned, and how its values are distributed.
type Target struct {
	Name      string    `json:"name"`
	Column    string    `json:"column"`
	Units     string    `json:"units"` // "" is unknown
	Count     int       `json:"count"` // measured values
	Min       *float64  `json:"min"`
	Median    *float64  `json:"median"`
	Max       *float64  `json:"max"`
	Histogram Histogram `json:"histogram"`
}

// Histogram counts values in bins of equal width. The last bin includes its
// upper edge.
type Histogram struct {
	Edges  []float64 `json:"edges"` // one more than there are bins
	Counts []int     `json:"counts"`
}

const maxBins = 20

// structureColumns are the names data.Structure.Field knows.
var structureColumns = []string{"smiles_polymer", "smiles_repeat_unit", "monomers", "mechanism", "pm", "distribution", "DP", "replicate_structure"}

// describe fills in what a table says, t being nil if it could not be read as
// one.
func (d *Dataset) describe(s *data.Sheet, t *data.Table, r *data.Report) {
	d.setDetails(d.details())
	d.Object, d.Columns, d.Rows = "dataset", s.Header, r.Rows
	d.Structure, d.Notations, d.Targets = []string{}, map[string]int{}, []Target{}
	d.Defects, d.Warnings, d.NotProposed = ofTheTable(r.Defects), r.Warnings, r.NotProposed
	if t == nil {
		return
	}
	groups := t.PolymerGroups()
	for i := range t.Structures {
		d.Polymers = max(d.Polymers, int(groups[i])+1)
		if n := t.Structures[i].Notation(); n != "" {
			d.Notations[string(n)]++
		}
	}
	blank := data.Structure{PM: math.NaN()}
	for _, name := range structureColumns {
		none, _ := blank.Field(name)
		if slices.ContainsFunc(t.Structures, func(s data.Structure) bool { v, _ := s.Field(name); return v != none }) {
			d.Structure = append(d.Structure, name)
		}
	}
	for i, target := range t.Targets {
		d.Targets = append(d.Targets, summarize(target, column(t, i)))
	}
}

// ofTheTable leaves out all but the first defects of rows; the report has them.
func ofTheTable(ds []data.Defect) []data.Defect {
	out, rows := []data.Defect{}, 0
	for _, d := range ds {
		if d.Row > 0 {
			if rows++; rows > mostRows {
				continue
			}
		}
		out = append(out, d)
	}
	return out
}

// column is the measured values of a target, ascending.
func column(t *data.Table, target int) []float64 {
	var values []float64
	for at := target; at < len(t.Y); at += len(t.Targets) {
		if !math.IsNaN(t.Y[at]) {
			values = append(values, t.Y[at])
		}
	}
	slices.Sort(values)
	return values
}

func summarize(t data.Target, sorted []float64) Target {
	s := Target{Name: t.Name, Column: t.Column, Units: t.Units, Count: len(sorted), Histogram: Histogram{Edges: []float64{}, Counts: []int{}}}
	n := len(sorted)
	if n == 0 {
		return s
	}
	low, high := sorted[0], sorted[n-1]
	median := sorted[n/2]
	if n%2 == 0 {
		median = sorted[n/2-1]/2 + median/2
	}
	s.Min, s.Median, s.Max = &low, &median, &high
	s.Histogram = histogram(sorted)
	return s
}

// histogram has as many bins as the square root of the number of values, which
// shows the shape of tens as well as of thousands; one if all are equal, or so
// far apart that their distance is no number.
func histogram(sorted []float64) Histogram {
	low, high := sorted[0], sorted[len(sorted)-1]
	bins := min(maxBins, int(math.Ceil(math.Sqrt(float64(len(sorted))))))
	width := (high - low) / float64(bins)
	if width <= 0 || math.IsInf(width, 0) {
		return Histogram{Edges: []float64{low, high}, Counts: []int{len(sorted)}}
	}
	h := Histogram{Edges: make([]float64, bins+1), Counts: make([]int, bins)}
	for i := range h.Edges {
		h.Edges[i] = low + float64(i)*width
	}
	h.Edges[bins] = high
	for _, v := range sorted {
		h.Counts[min(bins-1, int((v-low)/width))]++
	}
	return h
}

// owned says whose the dataset is. Shipped ones belong to everyone.
func (d *Dataset) owned() access.Owned {
	return access.Owned{Owner: d.Owner, SharedWith: d.SharedWith}
}

// details are what can be changed of it.
func (d *Dataset) details() jobs.Details {
	return jobs.Details{Name: d.Name, Notes: d.Notes, Tags: d.Tags, SharedWith: d.SharedWith}
}

// setDetails changes them; lists are never nil, as the API shows them.
func (d *Dataset) setDetails(to jobs.Details) {
	d.Name, d.Notes = to.Name, to.Notes
	d.Tags, d.SharedWith = append([]string{}, to.Tags...), append([]string{}, to.SharedWith...)
}

// CheckRecord reports what cannot be true of a dataset read from key.
func (d *Dataset) CheckRecord(key string) error {
	if !jobs.ValidID(jobs.DatasetPrefix, d.ID) || !strings.Contains(key, d.ID) {
		return fmt.Errorf("it is the record of the dataset %q", d.ID)
	}
	if d.Hash == "" {
		return errors.New("it does not say the hash of its table")
	}
	return nil
}
