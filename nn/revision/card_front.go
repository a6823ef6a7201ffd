package revision

import (
	"cmp"
	"math"
	"path"
	"strings"

	"github.com/goccy/go-yaml"

	"polyid-trainer/nn/train"
)

// front is a card's front matter, as the Hub reads it.
type front struct {
	License     string   `yaml:"license"`
	LicenseName string   `yaml:"license_name,omitempty"`
	Library     string   `yaml:"library_name"`
	Pipeline    string   `yaml:"pipeline_tag"`
	Tags        []string `yaml:"tags"`
	Datasets    []string `yaml:"datasets,omitempty"`
	Metrics     []string `yaml:"metrics,omitempty"`
	Version     string   `yaml:"version,omitempty"`
	Index       []index  `yaml:"model-index,omitempty"`
}

type index struct {
	Name    string   `yaml:"name"`
	Results []result `yaml:"results"`
}

// result is one property's scores on one set of rows.
type result struct {
	Task struct {
		Type string `yaml:"type"`
		Name string `yaml:"name"`
	} `yaml:"task"`
	Dataset struct {
		Name  string `yaml:"name"`
		Type  string `yaml:"type"`
		Split string `yaml:"split"`
	} `yaml:"dataset"`
	Metrics []metric `yaml:"metrics"`
}

type metric struct {
	Type  string  `yaml:"type"`
	Value float64 `yaml:"value"`
	Name  string  `yaml:"name"`
}

// licences are the Hub's names of those that data sets here may have.
var licences = map[string]string{
	"bsd-3-clause": "bsd-3-clause", "bsd-2-clause": "bsd-2-clause", "mit": "mit", "apache-2.0": "apache-2.0",
	"cc-by-4.0": "cc-by-4.0", "cc-by-sa-4.0": "cc-by-sa-4.0", "cc-by-nc-4.0": "cc-by-nc-4.0", "cc0-1.0": "cc0-1.0",
}

func frontMatter(c Config, m Metrics, p Place) (string, error) {
	f := front{
		License: "other", Library: "polyid", Pipeline: "graph-ml", Version: strings.TrimPrefix(p.Tag, "v"),
		Tags:     []string{"polyid", "polymers", "chemistry", "property-prediction", "message-passing"},
		Datasets: []string{}, Metrics: []string{"mae", "rmse", "r_squared"},
		Index: []index{{Name: path.Base(p.Repo), Results: []result{}}},
	}
	if known, ok := licences[strings.ToLower(c.Data.Licence)]; ok {
		f.License = known // a model made of data inherits its terms
	} else {
		f.LicenseName = cmp.Or(slug(c.Data.Licence), "not-stated")
	}
	if c.Data.Name != "" {
		f.Datasets = append(f.Datasets, c.Data.Name)
	}
	for _, set := range []struct {
		split  string
		scores Scores
	}{{"out of fold", m.OutOfFold}, {"hold-out", m.Holdout}} {
		for _, t := range c.Targets {
			if r, ok := resultOf(c.Data, t.Name, set.split, set.scores[t.Name]); ok {
				f.Index[0].Results = append(f.Index[0].Results, r)
			}
		}
	}
	if len(f.Index[0].Results) == 0 { // nothing was measured
		f.Index, f.Metrics = nil, nil
	}
	body, err := yaml.Marshal(f)
	return string(body), err
}

// resultOf is what was measured of a target on a set of rows; ok is false if
// nothing was.
func resultOf(d Data, name, split string, s Score) (r result, ok bool) {
	r.Task.Type, r.Task.Name = "graph-ml", "prediction of "+name
	r.Dataset.Name, r.Dataset.Type, r.Dataset.Split = cmp.Or(d.Name, "unknown"), cmp.Or(d.Name, "unknown"), split
	for _, x := range []struct {
		typ, name string
		value     train.Measure
	}{{"mae", "MAE", s.MAE}, {"rmse", "RMSE", s.RMSE}, {"r_squared", "R²", s.R2}} {
		if math.IsNaN(float64(x.value)) || s.Rows == 0 {
			continue
		}
		words := []string{x.name, "of", name + ",", split}
		if x.typ != "r_squared" && s.Units != "" {
			words = append(words, "in "+s.Units)
		}
		r.Metrics = append(r.Metrics, metric{x.typ, float64(x.value), strings.Join(words, " ")})
	}
	return r, len(r.Metrics) > 0
}

// slug is a name in the letters that the Hub takes.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.'
	})
	s := strings.Join(words, "-")
	return s[:min(len(s), 60)]
}
