package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"polyid-trainer/api/client"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

// SearchCmd submits a search for hyper-parameters.
type SearchCmd struct {
	serverFlags
	Watch  bool   `help:"Follow the search to its end, with a table of its trials on stderr; then write the best settings as JSON on stdout."`
	Search string `arg:"" name:"search.json" help:"The search as JSON, - for standard input: {\"job\": {\"dataset\": \"stereopolymer_input_nopush\"}, \"space\": {\"learning_rate\": {\"log\": [1e-5, 1e-3]}}}."`
}

// Run writes the search's id, or with --watch the best settings, on standard output.
func (c *SearchCmd) Run(ctx context.Context, std *streams) error {
	spec, err := readInput(c.Search, std.in)
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	made, err := api.Search(ctx, spec)
	if err != nil {
		return unreachable(c.Server, err)
	}
	for _, w := range made.Warnings {
		fmt.Fprintf(std.err, "note: %s\n", w.Detail)
	}
	if !c.Watch {
		fmt.Fprintln(std.out, made.ID)
		fmt.Fprintf(std.err, "accepted; follow it at %s/searches/%s\n", c.Server, made.ID)
		return nil
	}
	var last client.SearchAt
	watch := &searchWatch{w: std.err}
	if f, ok := std.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			watch.width, watch.height = width, height
		}
	}
	err = api.FollowSearch(ctx, made.ID, func(at client.SearchAt) bool {
		last = at
		watch.show(at)
		return !at.Status.Ended()
	}, nil)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("no longer watching; %s goes on: see %s/searches/%s", made.ID, api.Server, made.ID)
	}
	if err != nil {
		return err
	}
	return searchOutcome(last, std.out)
}

// searchOutcome writes the best settings of a search that has succeeded.
func searchOutcome(at client.SearchAt, w io.Writer) error {
	switch {
	case at.Status == jobs.Failed && at.Error != nil:
		return fmt.Errorf("%s failed: %s", at.ID, at.Error.Detail)
	case at.Status != jobs.Succeeded || at.Best == nil:
		return fmt.Errorf("%s is %s", at.ID, at.Status)
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(at.Best)
}

// searchWatch shows the trials of a search: on a terminal a table that is drawn
// again in its place, elsewhere a line for each trial that ends.
type searchWatch struct {
	w             io.Writer
	width, height int // of the terminal; 0 is none
	drawn         int // lines of the table on the screen
	head          string
	told          map[int]bool
}

func (s *searchWatch) show(at client.SearchAt) {
	if s.height > 0 {
		s.draw(at)
		return
	}
	if head := fmt.Sprintf("%s is %s", at.ID, at.Status); head != s.head {
		s.head = head
		fmt.Fprintln(s.w, head)
	}
	if s.told == nil {
		s.told = map[int]bool{}
	}
	for _, t := range at.Trials {
		if t.Status.Ended() && !s.told[t.Index] {
			s.told[t.Index] = true
			fmt.Fprintf(s.w, "  trial %d: %s after %d epochs, score %s, %s\n", t.Index, t.Status, t.Epochs, scoreText(t.Score), settings(t))
		}
	}
}

// draw draws the table over the last one, the best trials first, as many as fit.
func (s *searchWatch) draw(at client.SearchAt) {
	if s.drawn > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA\x1b[J", s.drawn)
	}
	var b strings.Builder
	searchTable(&b, at, s.height-2)
	lines := strings.SplitAfter(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, line := range lines {
		if text := []rune(strings.TrimSuffix(line, "\n")); len(text) > s.width-1 {
			line = string(text[:s.width-2]) + "…\n"
		}
		fmt.Fprint(s.w, line)
	}
	fmt.Fprintln(s.w)
	s.drawn = len(lines)
}

// searchTable writes how a search stands, with at most so many lines.
func searchTable(w io.Writer, at client.SearchAt, lines int) {
	head := fmt.Sprintf("%s is %s, %d of %d trials ended", at.ID, at.Status, at.Progress.TrialsDone, at.Progress.TrialsTotal)
	if eta := at.Progress.ETASeconds; eta != nil && *eta > 0 {
		head += ", " + about(*eta) + " left"
	}
	if at.Cost.USD > 0 {
		head += fmt.Sprintf(", %.2f USD", at.Cost.USD)
	}
	fmt.Fprintln(w, head)
	trials := slices.Clone(at.Trials)
	rank := func(t searches.TrialView) float64 {
		if t.Score == nil {
			return math.Inf(1)
		}
		return *t.Score
	}
	slices.SortStableFunc(trials, func(a, b searches.TrialView) int {
		return cmp.Or(cmp.Compare(len(b.Scores), len(a.Scores)), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Index, b.Index))
	})
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "trial\tstatus\tepochs\tscore\tsettings")
	for i, trial := range trials {
		if i >= lines-3 && len(trials)-i > 1 {
			fmt.Fprintf(t, "…\t%d more\t\t\t\n", len(trials)-i)
			break
		}
		fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%s\n", trial.Index, trial.Status, trial.Epochs, scoreText(trial.Score), settings(trial))
	}
	_ = t.Flush() // to a buffer
}

func scoreText(score *float64) string {
	if score == nil {
		return "–"
	}
	return fmt.Sprintf("%.4g", *score)
}

// settings are a trial's, in a line.
func settings(t searches.TrialView) string {
	var parts []string
	for _, path := range slices.Sorted(maps.Keys(t.Spec)) {
		value := string(t.Spec[path])
		var x float64
		if json.Unmarshal(t.Spec[path], &x) == nil {
			value = fmt.Sprintf("%.3g", x)
		}
		parts = append(parts, path+" "+value)
	}
	return strings.Join(parts, ", ")
}
