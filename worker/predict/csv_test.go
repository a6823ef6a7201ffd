package predict_test

import (
	"encoding/csv"
	"math"
	"strconv"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
)

// The columns of the input come back as they were, each row with its prediction
// or its error.
func TestCSV(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	r := tiny(t, 1)
	chain := r.Predictions[5].Polymer
	in := "name,smiles_polymer,Tg,note\n" +
		"\"one, quoted\"," + chain + ",10,\"a \"\"b\"\"\"\n" +
		"two,C1CC,,x\n" +
		"three,,,\n" +
		"four," + chain + ",,\n" +
		"five,CCCCCCCCCCCCCCCCCCCCCCCCCC,abc,y\n"
	var out strings.Builder
	s, err := b.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader(in), &out)
	if err != nil {
		t.Fatal(err)
	}
	if s.Counts.Total != 5 || s.Counts.OK != 3 || s.Counts.Failed != 2 || s.Model.Commit == "" {
		t.Errorf("%+v", s)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := "name,smiles_polymer,Tg,note,Tg_pred_mean,Tg_pred_std,Tg_pred_lo90,Tg_pred_hi90,Tm_pred_mean,Tm_pred_std,Tm_pred_lo90,Tm_pred_hi90,fps_notin_train,error"
	if got := strings.Join(rows[0], ","); got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	if rows[1][0] != "one, quoted" || rows[1][3] != `a "b"` || rows[2][1] != "C1CC" || rows[3][0] != "three" || rows[5][2] != "abc" {
		t.Errorf("the input's columns are %v", rows)
	}
	e := expect(t, r, chain)
	for i, x := range []float64{e.Values[0].Mean, e.Values[0].Std, e.Values[0].Interval.Low, e.Values[0].Interval.High, e.Values[1].Mean} {
		got, err := strconv.ParseFloat(rows[1][4+i], 64)
		if err != nil || got != x || rows[4][4+i] != rows[1][4+i] {
			t.Errorf("column %s is %s and %s, want %v", rows[0][4+i], rows[1][4+i], rows[4][4+i], x)
		}
	}
	last := len(rows[0]) - 1
	if rows[1][last-1] != "0" || rows[1][last] != "" || rows[5][last-1] == "0" || rows[5][last] != "" {
		t.Errorf("%v and %v", rows[1], rows[5])
	}
	if !strings.HasPrefix(rows[2][last], "invalid_smiles: ") || rows[2][4] != "" || !strings.HasPrefix(rows[3][last], "missing_structure: ") {
		t.Errorf("%v and %v", rows[2], rows[3])
	}
	if m := s.Metrics["Tg"]; m.Rows != 1 || math.Abs(float64(m.MAE)-math.Abs(e.Values[0].Mean-10)) > 1e-9 || !math.IsNaN(float64(m.Baseline)) {
		t.Errorf("metrics %+v", s.Metrics)
	}
}

// Monomers, replicates and repeat units in one file; a stated DP is used.
func TestCSVNotations(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	in := "smiles_repeat_unit,monomers,mechanism,DP,replicate_structure\n" +
		lactide + ",,,7,\n" +
		",CC(O)C(=O)O,ester,5,0\n" +
		",CC(O)C(=O)O,ester,5,1\n" +
		",CC(O)C(=O)O,magic,5,0\n" +
		lactide + ",,,5000,\n"
	var out strings.Builder
	s, err := b.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader(in), &out)
	if err != nil {
		t.Fatal(err)
	}
	if s.Counts.OK != 3 || s.Metrics != nil {
		t.Errorf("%+v\n%s", s, out.String())
	}
	for _, word := range []string{"unknown_mechanism: ", "out_of_range: "} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("no %s in\n%s", word, out.String())
		}
	}
}

func TestCSVRefused(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	for in, code := range map[string]jobs.Code{
		"":                         jobs.Invalid,
		"colour\nred\n":            jobs.Invalid,
		"smiles_polymer\n":         jobs.Invalid,
		"\x00\x01\x02":             jobs.Invalid,
		strings.Repeat(",", 1<<20): jobs.TooLarge,
	} {
		var out strings.Builder
		if _, err := b.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader(in), &out); jobs.ErrorCode(err) != code || out.Len() > 0 {
			t.Errorf("%q: %v, and %q was written", in, err, out.String())
		}
	}
}

// What was predicted can be predicted again: columns of an earlier answer are
// replaced, and columns that are not used may share a name. The column of
// structures is found by its cells.
func TestCSVAgain(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	answer := func(in string) string {
		var out strings.Builder
		if _, err := b.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader(in), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first := answer("PSMILES,a,a\n" + lactide + ",1,2\n")
	if !strings.HasPrefix(first, "PSMILES,a,a,Tg_pred_mean") {
		t.Errorf("the answer is %s", first)
	}
	if again := answer(first); again != first {
		t.Errorf("predicted again it is\n%s\nwant\n%s", again, first)
	}
}

// The shipped table, with its own columns and measured values.
func TestCSVShipped(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	d, _ := data.Shipped("stereopolymer_input_nopush")
	var out strings.Builder
	s, err := b.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader(d.CSV()), &out)
	if err != nil {
		t.Fatal(err)
	}
	if s.Counts.OK != 229 || s.Metrics["Tg"].Rows != 155 || s.Metrics["Tg"].Units != "°C" || s.Metrics["Tg"].Intervals == nil {
		t.Errorf("%+v", s)
	}
	if n := b.runs.Load(); n > 2*40 { // 35 graphs, one more where a chain is written in another order
		t.Errorf("it took %d forward passes", n)
	}
}
