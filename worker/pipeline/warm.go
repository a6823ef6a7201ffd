package pipeline

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"polyid-trainer/featurize"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/revision"
)

// warm gives the weights of another revision's fold that m begins with. Where
// the two know different tokens, a token's row of the embedding goes by its
// word; a word that is new starts as a fresh training's would. So do the heads
// of targets that are new. Everything else must have one shape.
func (p *Pipeline) warm(ctx context.Context, job string, from jobs.Revision, m *checkpoint.Model) (*nn.Params, error) {
	old, err := p.initial(ctx, job, from, m.Origin.Fold)
	if err != nil {
		return nil, err
	}
	same := m.Config
	same.Dropout = old.Config.Dropout // shapes nothing
	if same != old.Config || m.Features.WithDefaults() != old.Features.WithDefaults() {
		return nil, failure("init_from", "%s has the network %+v on features %+v, the job asks for %+v on %+v",
			from.Repo, old.Config, old.Features, m.Config, m.Features)
	}
	w := nn.NewParams(m.Config, m.Sizes())
	w.Init(m.Origin.Seed)
	for name, to := range w.Tensors() {
		have, ok := old.Weights.Tensor(sameHead(name, m.Targets, old.Targets))
		switch {
		case name == "atom_embedding":
			byWord(to, have, m.Vocab.Atom.Words(), old.Vocab.Atom.Words())
		case name == "bond_embedding":
			byWord(to, have, m.Vocab.Bond.Words(), old.Vocab.Bond.Words())
		case ok && slices.Equal(to.Shape, have.Shape):
			copy(to.Data, have.Data)
		case strings.HasPrefix(name, headPrefix): // of a new target
		default:
			return nil, failure("init_from", "%s has no tensor %s of shape %v", from.Repo, name, to.Shape)
		}
	}
	return w, nil
}

// headPrefix begins the names of the heads' tensors, before their target's
// number.
const headPrefix = "head"

// sameHead is the name that a tensor has in the network of other targets: a
// head's number is its target's. A target that is not there has no name.
func sameHead(name string, targets, others []checkpoint.Target) string {
	rest, ok := strings.CutPrefix(name, headPrefix)
	if !ok {
		return name
	}
	number, tensor, _ := strings.Cut(rest, ".")
	i, err := strconv.Atoi(number)
	if err != nil || i >= len(targets) {
		return name
	}
	at := slices.IndexFunc(others, func(o checkpoint.Target) bool { return o.Name == targets[i].Name })
	return fmt.Sprintf("%s%d.%s", headPrefix, at, tensor)
}

// byWord copies the rows of an embedding that stand for the same words; those of
// padding and of what is unknown come first in both.
func byWord(to, from nn.Tensor, words, others []string) {
	width := to.Shape[1]
	if from.Shape == nil || from.Shape[1] != width {
		return
	}
	row := func(t nn.Tensor, i int) []float32 { return t.Data[i*width : (i+1)*width] }
	for i := range featurize.FirstWord {
		copy(row(to, i), row(from, i))
	}
	for i, word := range words {
		if at := slices.Index(others, word); at >= 0 {
			copy(row(to, featurize.FirstWord+i), row(from, featurize.FirstWord+at))
		}
	}
}

// initial reads the model that a fold starts from: the revision's of the same
// number, or counting round where it has fewer.
func (p *Pipeline) initial(ctx context.Context, job string, from jobs.Revision, fold int) (*checkpoint.Model, error) {
	var models []string
	for e, err := range p.Bucket.List(ctx, keys.InitPrefix(job)) {
		if err != nil {
			return nil, fmt.Errorf("listing the models of %s: %w", from.Repo, err)
		}
		if path.Base(e.Key) == path.Base(revision.ModelPath(0)) {
			models = append(models, e.Key)
		}
	}
	if len(models) == 0 {
		return nil, failure("init_from", "the models of %s at %q are not there", from.Repo, from.Revision)
	}
	key := keys.InitPrefix(job) + revision.ModelPath(fold%len(models))
	if !slices.Contains(models, key) {
		return nil, failure("init_from", "%s is not there, although other models of %s are", key, from.Repo)
	}
	return readModel(ctx, p.Bucket, key)
}
