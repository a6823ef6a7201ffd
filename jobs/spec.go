package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// Spec is what a training job is asked to do: the body of the request. The
// parts are stated where they are used; Spec only composes them.
type Spec struct {
	Name    string     `json:"name,omitempty"` // the user's; see Details for the one in force
	Recipe  string     `json:"recipe"`         // what it takes where it says nothing; "" is RecipePolyID
	Dataset data.Names `json:"dataset"`        // ids or shipped names
	data.Columns
	KFolds int `json:"kfolds"`
	train.Config
	Model    nn.Config        `json:"model"`
	Features featurize.Config `json:"features"`
	Chains   structure.Chains `json:"chains"`
	Stack    *stack.Config    `json:"stack"` // nil: the network predicts alone
	// Intervals says how intervals are made; local ones need a stack.
	Intervals ensemble.Intervals `json:"intervals"`
	Split     data.Split         `json:"split"`
	Holdout   *data.Holdout      `json:"holdout"`
	InitFrom  *Revision          `json:"init_from"`
	Publish   *Destination       `json:"publish"` // nil only trains
	Webhook   *Webhook           `json:"webhook,omitempty"`
	MaxUSD    float64            `json:"max_cost_usd,omitempty"` // 0 is no limit
	Priority  Priority           `json:"priority,omitempty"`     // within the share of the token that asks; "" is normal
	Metadata  map[string]any     `json:"metadata,omitempty"`     // the user's own, shown again
}

// Limits of a Spec's own fields.
const (
	DefaultFolds = 5
	MinFolds     = 2
	MaxFolds     = 20
	MaxBudget    = 1e9           // of MaxUSD
	MaxStackRows = stack.MaxRows // of a table with a stack
	maxDatasets  = 16
	maxMetadata  = 32  // entries
	maxValue     = 512 // bytes of a metadata key, or of a value as JSON
)

// Revision names a published ensemble.
type Revision struct {
	Repo     string `json:"repo"`
	Revision string `json:"revision"`
}

// Destination says where a finished training goes.
type Destination struct {
	Repo    string  `json:"repo"`    // "" is the configured one
	Branch  string  `json:"branch"`  // "" is main
	Tag     string  `json:"tag"`     // "" sets none
	Private *bool   `json:"private"` // nil: a new repository is private, an existing one keeps its own
	Promote Promote `json:"promote"`
	// SaveTraining puts the training rows into Python's files, as PolyID's
	// save_training does.
	SaveTraining bool `json:"save_training,omitempty"`
	// Rows says whether predictions.csv holds structures and measured values; nil is
	// true. Without them the revision knows no neighbours.
	Rows *bool `json:"rows,omitempty"`
}

// HoldsRows reports whether predictions.csv holds structures and measured values.
func (p *Destination) HoldsRows() bool { return p.Rows == nil || *p.Rows }

// MarshalJSON writes no tag as null, as the API does.
func (p Destination) MarshalJSON() ([]byte, error) {
	type plain Destination
	return json.Marshal(struct {
		plain
		Tag *string `json:"tag"`
	}{plain(p), orNil(p.Tag)})
}

// Promote says when a branch moves to a new revision.
type Promote string

// The values of Promote.
const (
	// PromoteIfNotWorse, the default, moves the branch unless the new revision is
	// worse on what both were scored on, or predicts fewer properties.
	PromoteIfNotWorse Promote = "if_not_worse"
	PromoteIfBetter   Promote = "if_better" // only if the same hold-out improves
	PromoteAlways     Promote = "always"
	PromoteNever      Promote = "never"
)

// Webhook is who is told of a job's events.
type Webhook struct {
	URL    string      `json:"url"`
	Events []EventType `json:"events,omitempty"` // none is every lifecycle event
}

// wants reports whether w is owed the event. A nil Webhook wants none.
func (w *Webhook) wants(typ EventType) bool {
	if w == nil || typ == EventEpoch {
		return false
	}
	return len(w.Events) == 0 || slices.Contains(w.Events, typ)
}

// DefaultSpec is PolyID's published training, without a dataset.
func DefaultSpec() Spec {
	return Spec{
		Recipe:    RecipePolyID,
		KFolds:    DefaultFolds,
		Config:    train.DefaultConfig(),
		Model:     nn.DefaultConfig(),
		Features:  featurize.Config{}.WithDefaults(),
		Chains:    structure.Chains{}.WithDefaults(),
		Intervals: ensemble.Intervals{}.WithDefaults(),
		Split:     data.Split{}.WithDefaults(),
		Publish:   &Destination{Branch: "main", Promote: PromoteIfNotWorse},
	}
}

// ReadSpec reads a request's body over the recipe that it names. A field that does
// not exist is refused, since a mistyped one would train something else.
func ReadSpec(r io.Reader) (Spec, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return Spec{}, fmt.Errorf("read training job: %w", err)
	}
	s := DefaultSpec()
	var named struct {
		Recipe string `json:"recipe"`
	}
	if json.Unmarshal(body, &named) == nil {
		if known, ok := recipe(named.Recipe); ok {
			s = known
		}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("read training job: %w", err)
	}
	if dec.More() {
		return Spec{}, errors.New("read training job: something follows the JSON object")
	}
	return s.WithDefaults(), nil
}

// WithDefaults fills what is empty.
func (s Spec) WithDefaults() Spec {
	s.Columns = s.Columns.WithDefaults()
	if s.KFolds == 0 {
		s.KFolds = DefaultFolds
	}
	s.Config = s.Config.WithDefaults()
	s.Model = s.Model.WithDefaults()
	s.Features = s.Features.WithDefaults()
	s.Chains = s.Chains.WithDefaults()
	if s.Recipe == "" {
		s.Recipe = RecipePolyID
	}
	if s.Stack != nil {
		c := s.Stack.WithDefaults()
		s.Stack = &c
	}
	s.Intervals = s.Intervals.WithDefaults()
	s.Split = s.Split.WithDefaults()
	if s.Publish != nil {
		p := *s.Publish
		if p.Branch == "" {
			p.Branch = "main"
		}
		if p.Promote == "" {
			p.Promote = PromoteIfNotWorse
		}
		s.Publish = &p
	}
	return s
}

// Problems lists every value that cannot be, as far as that can be told without
// the dataset.
func (s Spec) Problems() []Problem {
	var ps problems
	switch {
	case len(s.Dataset) == 0:
		ps.add("/dataset", "is required: the id of an uploaded dataset, or the name of a shipped one")
	case len(s.Dataset) > maxDatasets:
		ps.add("/dataset", "has %d entries, more than %d", len(s.Dataset), maxDatasets)
	case slices.Contains(s.Dataset, ""):
		ps.add("/dataset", "has an empty name")
	}
	ps = append(ps, Details{Name: s.Name}.Problems()...)
	ps.join("", s.Columns.Validate())
	if s.KFolds < MinFolds || s.KFolds > MaxFolds {
		ps.add("/kfolds", "%d is not between %d and %d", s.KFolds, MinFolds, MaxFolds)
	}
	ps.join("", s.Config.Validate())
	ps.join("/model", s.Model.Validate())
	ps.join("/features", s.Features.Validate())
	ps.join("/chains", s.Chains.Validate())
	ps.join("/split", s.Split.Validate())
	if _, ok := recipe(s.Recipe); !ok {
		ps.add("/recipe", "%q is not a recipe: enter %q or %q", s.Recipe, RecipePolyID, RecipeAccurate)
	}
	if s.Stack != nil {
		ps.join("/stack", s.Stack.Validate())
		if s.Split.OrderBy != "" {
			ps.add("/stack", "A stack is fitted to all folds, later rows too. Leave split.order_by out, or the stack")
		}
		if s.Split.Folds != nil {
			ps.add("/stack", "A stack needs folds that share no polymer. Leave split.folds out, or the stack")
		}
	}
	if len(s.Conditions) > 0 && s.Stack == nil {
		ps.add("/conditions", "Conditions are inputs of a stack: add one (\"stack\": {}), or leave them out")
	}
	ps.join("/intervals", s.Intervals.Validate())
	if s.Intervals.Method == ensemble.Local && s.Stack == nil {
		ps.add("/intervals/method", "%q intervals need a stack, which says how large an error is to be expected: add one, or use %q", ensemble.Local, ensemble.CVPlus)
	}
	if s.Holdout != nil {
		ps.join("/holdout", s.Holdout.Validate())
	}
	if r := s.InitFrom; r != nil && !repoName.MatchString(r.Repo) {
		ps.add("/init_from/repo", "%q is not of the form owner/name", r.Repo)
	}
	if s.Publish != nil {
		ps = append(ps, s.Publish.Problems("/publish")...)
	}
	if s.Webhook != nil {
		ps = append(ps, s.Webhook.Problems("/webhook", lifecycle)...)
	}
	if !(s.MaxUSD >= 0 && s.MaxUSD <= MaxBudget) {
		ps.add("/max_cost_usd", "%v is not between 0 and %v", s.MaxUSD, float64(MaxBudget))
	}
	if !s.Priority.known() {
		ps.add("/priority", "%q is not a priority: enter %q, %q or %q", s.Priority, PriorityLow, PriorityNormal, PriorityHigh)
	}
	if len(s.Metadata) > maxMetadata {
		ps.add("/metadata", "has %d entries, more than %d", len(s.Metadata), maxMetadata)
		return ps
	}
	for k, v := range s.Metadata {
		text, err := json.Marshal(v)
		if err != nil || len(k) > maxValue || len(text) > maxValue {
			ps.add("/metadata/"+k[:min(len(k), 32)], "is longer than %d bytes", maxValue)
		}
	}
	return ps
}

var (
	repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)
	tagName  = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
	refName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)
)

// Problems lists every value of d, with its defaults, that cannot be, with
// pointers below at.
func (d *Destination) Problems(at string) []Problem {
	var ps problems
	if d.Repo != "" && !repoName.MatchString(d.Repo) {
		ps.add(at+"/repo", "%q is not of the form owner/name", d.Repo)
	}
	if !refName.MatchString(d.Branch) || strings.Contains(d.Branch, "..") || strings.HasSuffix(d.Branch, ".lock") {
		ps.add(at+"/branch", "%q is not a valid branch name", d.Branch)
	}
	if d.Tag != "" && !tagName.MatchString(d.Tag) {
		ps.add(at+"/tag", "%q is not of the form v1.2.0", d.Tag)
	}
	if !slices.Contains([]Promote{PromoteIfNotWorse, PromoteIfBetter, PromoteAlways, PromoteNever}, d.Promote) {
		ps.add(at+"/promote", "%q is none of if_not_worse, if_better, always, never", d.Promote)
	}
	if d.SaveTraining && !d.HoldsRows() {
		ps.add(at+"/rows", "save_training puts the training rows into the revision, which rows false leaves out: choose one")
	}
	return ps
}

// maxWebhookURL bounds the address of a webhook, in bytes.
const maxWebhookURL = 2000

// Problems lists every value of w that cannot be, with pointers below at, where the
// events that there are to hear of are known.
func (w *Webhook) Problems(at string, known []EventType) []Problem {
	var ps problems
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		ps.add(at+"/url", "is no http or https address")
	case len(w.URL) > maxWebhookURL:
		ps.add(at+"/url", "has %d bytes, more than %d", len(w.URL), maxWebhookURL)
	case u.User != nil:
		ps.add(at+"/url", "holds credentials, which would be stored and shown: sign with the webhook secret instead")
	}
	for i, e := range w.Events {
		if !slices.Contains(known, e) {
			ps.add(fmt.Sprintf("%s/events/%d", at, i), "%q is none of %s", e, list(known))
		}
	}
	return ps
}

// problems collects what is wrong.
type problems []Problem

func (ps *problems) add(pointer, format string, args ...any) {
	*ps = append(*ps, Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// join adds each of the errors joined in err, which begin with the field's name.
func (ps *problems) join(at string, err error) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, err := range joined.Unwrap() {
			ps.join(at, err)
		}
		return
	}
	if err != nil {
		field, detail, ok := strings.Cut(err.Error(), ": ")
		if !ok {
			field, detail = "", err.Error()
		} else {
			field = "/" + strings.ReplaceAll(field, ".", "/")
		}
		ps.add(at+field, "%s", detail)
	}
}

// list writes values for a message.
func list[T ~string](values []T) string {
	s := make([]string, len(values))
	for i, v := range values {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
}
