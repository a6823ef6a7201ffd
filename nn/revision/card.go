package revision

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/keras"
	"polyid-trainer/nn/stack"
)

// Place is where a revision is published, for its card.
type Place struct {
	Repo     string // "owner/name"
	Tag      string // "" if it has none
	Branch   string
	Endpoint string   // of the Hub; "" is the public one
	Server   string   // address of a service that predicts with it; "" is a local one
	Python   bool     // Python's files are there too
	Plots    []string // paths of images, each named for what it shows
}

// revision is what names the revision in a download.
func (p Place) revision() string { return cmp.Or(p.Tag, p.Branch, "main") }

// Card is the README.md of a revision: front matter for the Hub, and in words
// and tables what was trained, how, what it scored and how to use it. It says
// nothing that the configuration and metrics do not.
func Card(c Config, m Metrics, p Place) ([]byte, error) {
	front, err := frontMatter(c, m, p)
	if err != nil {
		return nil, fmt.Errorf("model card: %w", err)
	}
	w := &card{Config: c, Metrics: m, Place: p}
	w.printf("---\n%s---\n\n", front)
	w.summary()
	w.results()
	w.training()
	w.intervals()
	w.limitations()
	w.usage()
	return []byte(w.text.String()), nil
}

type card struct {
	Config
	Metrics
	Place
	text strings.Builder
}

func (w *card) printf(format string, args ...any) { fmt.Fprintf(&w.text, format, args...) }

// fact writes a line of a table of two columns.
func (w *card) fact(name, format string, args ...any) {
	w.printf("| %s | %s |\n", name, cell(fmt.Sprintf(format, args...)))
}

// cell is text that stays in its cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
}

// words is text of a user's, such as a column's header, that is shown as it is:
// what would be markup is escaped.
func words(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*[]{}|!~$#", c), c == '_' && (i == 0 || i+1 == len(s) || !plain(s[i-1]) || !plain(s[i+1])):
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ':
			b.WriteByte(' ')
		default:
			b.WriteRune(c)
		}
	}
	// An address would become a link.
	return strings.NewReplacer("://", ":&#47;&#47;", "www.", "www&#46;").Replace(b.String())
}

// plain says that an underscore beside c is no markup.
func plain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (w *card) summary() {
	var properties []string
	for _, t := range w.Targets {
		properties = append(properties, words(strings.TrimSpace(t.Name+" "+parenthesis(t.Units))))
	}
	w.printf("# %s\n\n", cell(strings.TrimSpace(path.Base(w.Repo)+" "+w.Tag)))
	w.printf("An ensemble of %d networks (PolyID's %s) that predicts %s of a polymer from its chemical structure. "+
		"Each network was trained without one part of the data; the mean of their answers is the prediction.\n\n",
		w.Config.Folds, w.Model.Name, list(properties))
	w.printf("| | |\n|---|---|\n")
	w.fact("Version", "%s", cmp.Or(w.Tag, "untagged"))
	if w.Imported != "" {
		w.fact("Imported", "from %s", w.Imported)
		w.fact("Trained", "elsewhere: when, on what data and with what scores is not known here")
		w.printf("\n")
		return
	}
	w.fact("Trained", "%s", w.CreatedAt.UTC().Format("2 January 2006 15:04 UTC"))
	if w.Job != "" {
		w.fact("Training job", "`%s`", w.Job)
	}
	d := w.Data
	w.fact("Data", "%s: %d rows of %d polymers%s", words(d.Name), d.Rows, d.Polymers, some(d.Holdout, ", %d of them held out"))
	if d.Source != "" {
		w.fact("Source of the data", "%s", d.Source)
	}
	w.fact("Licence of the data", "%s", cmp.Or(d.Licence, "not stated"))
	w.fact("Hash of the data", "`%s`", d.Hash)
	w.fact("Seed", "%d", w.Seed)
	w.fact("Code", "%s, kernels %s", cmp.Or(w.CodeVersion, "of unknown version"), cmp.Or(strings.Join(w.KernelPaths, ", "), "unknown"))
	w.printf("\n")
}

func (w *card) results() {
	if len(w.Metrics.OutOfFold) > 0 {
		w.printf("## Results\n\nOut of fold: every row is scored by the network that did not train on it. " +
			"The baseline answers every row with the median of the training rows.\n\n")
		w.scores(w.Metrics.OutOfFold, false)
	}
	if w.Metrics.Holdout != nil {
		w.printf("Hold-out set: rows that no network trained on, scored by the whole ensemble. "+
			"The last column is the share of measurements within their %.4g %% interval.\n\n", w.percent())
		w.scores(w.Metrics.Holdout, true)
		w.byDifficulty()
	}
	w.members()
	for _, plot := range w.Plots {
		w.printf("![%s](%s)\n\n", strings.ReplaceAll(strings.TrimSuffix(path.Base(plot), path.Ext(plot)), "_", " "), plot)
	}
	if len(w.Metrics.Folds) == 0 {
		return
	}
	w.printf("By fold:\n\n| fold | training rows | validation rows | epochs | best epoch |%s\n|---|---|---|---|---|%s\n",
		w.perTarget(" %s MAE | %[1]s RMSE | %[1]s R² | %[1]s rows |"), strings.Repeat("---|---|---|---|", len(w.Targets)))
	for _, f := range w.Metrics.Folds {
		w.printf("| %d | %d | %d | %d | %d |", f.Index, f.Train, f.Validate, f.Epochs, f.BestEpoch)
		for _, t := range w.Targets {
			s := f.OutOfFold[t.Name]
			w.printf(" %s | %s | %s | %d |", figure(s.MAE), figure(s.RMSE), figure(s.R2), s.Rows)
		}
		w.printf("\n")
	}
	w.printf("\n")
}

// perTarget repeats text for each target's name.
func (w *card) perTarget(format string) string {
	var b strings.Builder
	for _, t := range w.Targets {
		fmt.Fprintf(&b, format, words(t.Name))
	}
	return b.String()
}

// scores writes a table with a line for each target.
func (w *card) scores(s Scores, coverage bool) {
	w.printf("| property | units | MAE | RMSE | R² | MAE of the baseline | rows | polymers |")
	if coverage {
		w.printf(" within %.4g %% |", w.percent())
	}
	w.printf("\n|---|---|---|---|---|---|---|---|")
	if coverage {
		w.printf("---|")
	}
	w.printf("\n")
	for _, t := range w.Targets {
		x := s[t.Name]
		w.printf("| %s | %s | %s | %s | %s | %s | %d | %d |", words(t.Name), words(x.Units), figure(x.MAE), figure(x.RMSE), figure(x.R2), figure(x.Baseline), x.Rows, x.Polymers)
		if coverage && x.Intervals != nil {
			w.printf(" %.0f %% |", 100*x.Intervals.Coverage)
		} else if coverage {
			w.printf(" not known |")
		}
		w.printf("\n")
	}
	w.printf("\n")
}

func (w *card) training() {
	w.printf("## Training\n\n| | |\n|---|---|\n")
	n := w.Model
	w.fact("Network", "%s: %d atom, %d bond and %d molecule features, %d rounds of messages, dropout %g", n.Name, n.AtomFeatures, n.BondFeatures, n.MolFeatures, n.NumMessages, n.Dropout)
	w.fact("Features", "`%s`, `%s`", w.Features.WithDefaults().Atom, w.Features.WithDefaults().Bond)
	if w.Imported != "" {
		w.printf("\n")
		return
	}
	w.fact("Chains", "stated as %s; %s; end groups: %s", notations(w.Chains.Notations), degree(w.Chains), cmp.Or(w.Chains.EndGroups, "not known"))
	w.fact("Split", "%d folds; what may not be divided: %s", w.Config.Folds, cmp.Or(grouping(w.Data.GroupBy), "not known"))
	if w.Data.OrderBy != "" {
		w.fact("Order", "each fold learns from rows before those that it validates, by the column %s", words(w.Data.OrderBy))
	}
	w.measurement()
	if t := w.Training; t != nil {
		w.fact("Settings", "%d epochs at most, batches of %d, learning rate %g (%s), decay %g%s", t.Epochs, t.BatchSize, t.LearningRate, t.Schedule.WithDefaults().Name, t.Decay, options(t))
	}
	if r := w.Run; r != nil {
		if len(r.Hardware) > 0 {
			w.fact("Hardware", "%s", strings.Join(r.Hardware, "; "))
		}
		w.fact("Time", "%s from start to end, %s of worker time", span(r.FinishedAt.Sub(r.StartedAt)), span(time.Duration(r.WorkerSeconds*float64(time.Second))))
		if r.USD != nil {
			w.fact("Cost", "%.2f USD, at the workers' stated price per hour", *r.USD)
		} else {
			w.fact("Cost", "not known: the workers had no price")
		}
		w.fact("Energy", "not measured")
	}
	w.printf("\n")
}

// members writes the mean absolute errors of the members of a stack, and what Python's PolyID,
// which loads the network alone, does without them.
func (w *card) members() {
	var names []stack.Member
	for _, name := range stack.Members() {
		for _, s := range w.Metrics.OutOfFold {
			if _, ok := s.Members[name]; ok {
				names = append(names, name)
				break
			}
		}
	}
	if len(names) == 0 {
		return
	}
	w.printf("The predictions blend several members (`stack.json`). Mean absolute errors out of fold:\n\n| property | blend |")
	for _, name := range names {
		w.printf(" %s |", name)
	}
	w.printf("\n|---|---|%s\n", strings.Repeat("---|", len(names)))
	for _, t := range w.Targets {
		s := w.Metrics.OutOfFold[t.Name]
		w.printf("| %s | %s |", words(t.Name), figure(s.MAE))
		for _, name := range names {
			if m, ok := s.Members[name]; ok {
				w.printf(" %s |", figure(m.MAE))
			} else {
				w.printf(" |")
			}
		}
		w.printf("\n")
	}
	w.printf("\nPolyID in Python loads the network alone; its errors are in the column `network`.\n\n")
}

func (w *card) intervals() {
	w.printf("## Intervals and domain of validity\n\n")
	if reason := w.Absent[CalibrationPath]; reason != "" {
		w.printf("There are no intervals: %s.\n\n", cell(reason))
	} else {
		how := w.Intervals.WithDefaults()
		w.printf("A %.4g %% interval comes from the out-of-fold residuals by CV+, rows of one polymer weighing as one (`calibration.json`). ", w.percent())
		if how.Method == ensemble.Local {
			w.printf("Each residual is divided by its expected size, so intervals are narrow where a prediction is easy. ")
		}
		w.printf("It applies to polymers like those of the table.")
		if w.Metrics.Holdout == nil {
			w.printf(" How often it holds was not measured here: there was no hold-out set.")
		}
		w.printf("\n\n")
	}
	if reason := w.Absent[DomainPath]; reason != "" {
		w.printf("There is no domain of validity: %s.\n\n", cell(reason))
	} else {
		w.printf("A prediction counts the polymer's Morgan environments (radius 2) that no training polymer has (`domain_of_validity.json`). " +
			"With any of them, or with an atom or bond type that never appeared in training, the polymer is outside the training chemistry: the errors and intervals given here may not hold.\n\n")
	}
}

func (w *card) limitations() {
	w.printf("## Limitations\n\n")
	if w.WithoutRows {
		w.printf("- `predictions.csv` leaves out structures and measured values, so predictions cannot name the nearest training polymers. Where there is a stack, its neighbours still hold values and counts of environments.\n")
	}
	if !w.Features.SeesTacticity() {
		w.printf("- The features ignore tacticity: polymers that differ only in tacticity get the same prediction, whatever their measured values.\n")
	}
	if g := w.Data.Graphs; g != nil && g.ValidationRows > 0 {
		w.printf("- The networks see %[2]d distinct structures among the %[1]d polymers. Of %[3]d validation rows, %[4]d (%.0[5]f %%) have a structure that their fold also trained on.",
			g.Polymers, g.Graphs, g.ValidationRows, g.ValidationKnown, 100*g.Share())
		if g.ValidationKnown > 0 && w.Data.GroupBy != data.ByGraph {
			w.printf(" Expect larger errors than those above for new chemistry; a job with `group_by` `graph` measures them.")
		}
		w.printf("\n")
	}
	if w.Imported != "" {
		w.printf("- Nothing was measured here: the accuracy of its predictions is not known.\n")
	}
	if w.Training != nil {
		w.printf("- Each network's published weights are those of its best epoch, chosen on the validation rows that also score it. That choice makes out-of-fold errors too small")
		if w.Metrics.Holdout != nil {
			w.printf("; the errors on the hold-out set are not affected")
		}
		w.printf(".\n")
	}
	if len(w.KernelPaths) > 1 {
		w.printf("- It was trained on several kinds of processor (%s): training again gives these weights up to rounding, not bit for bit.\n", strings.Join(w.KernelPaths, ", "))
	}
	w.printf("- To the networks, a chain with a different length or different end groups than in training is a different molecule.\n\n")
}

func (w *card) usage() {
	server := cmp.Or(w.Server, "http://localhost:8080")
	w.printf("## Use\n\nAsk a running service, which answers with intervals and the domain of validity:\n\n```sh\n"+
		"curl -s %s/v1/predictions -H 'Content-Type: application/json' -H 'Prefer: wait=30' \\\n"+
		"  -d '{\"model\": {\"repo\": \"%s\", \"revision\": \"%s\"}, \"inputs\": [{\"smiles_repeat_unit\": \"*OC(C)C(=O)*\"}]}'\n```\n\n", server, w.Repo, w.revision())
	if !w.Python {
		return
	}
	endpoint := ""
	if w.Endpoint != "" {
		endpoint = fmt.Sprintf(", endpoint=%q", w.Endpoint)
	}
	w.printf("Or load it in Python with PolyID 0.1.2.3, TensorFlow 2.14.1 and huggingface_hub (a private repository needs a token):\n\n```python\n"+
		"import pandas as pd\nfrom huggingface_hub import snapshot_download\nfrom polyid.polyid import MultiModel\n\n"+
		"folder = snapshot_download(%q, revision=%q%s)\nmodel = MultiModel.load_models(folder)\n"+
		"polymers = pd.DataFrame({\"smiles_polymer\": [\"OC(C)C(=O)\" * 18 + \"O\"]})\nprint(model.make_predictions(polymers))\n```\n\n",
		w.Repo, w.revision(), endpoint)
	w.printf("PolyID 0.1.2.4 (Keras 3) looks for `.keras` files, and fails to load even those that it wrote itself. It loads this revision after one more line, before `load_models`:\n\n"+
		"```python\nexec(open(folder + \"/%s\").read())\n```\n\n", keras.ShimPath)
	w.printf("The `.h5` and `.pk` files are for PolyID alone. Load pickles only from people you trust; `model.safetensors` and the JSON files run no code.\n")
}
