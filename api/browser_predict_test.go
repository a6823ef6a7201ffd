package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A chain of nine 3-hydroxybutyrates with an end group that no polymer of the
// shipped table has.
const fluorinated = "C[C@@H](O)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)OCCF"

// predicted is an answer of /v1/predictions.
type predicted struct {
	ID      string
	Status  string
	Results []struct {
		Predictions map[string]struct{ Mean float64 }
		Domain      struct {
			Unseen []struct{ Atoms []int }
		} `json:"domain_of_validity"`
	}
}

// downloads has the browser save files into a folder.
func (b *tab) downloads() (folder string) {
	b.t.Helper()
	folder = b.t.TempDir()
	b.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: folder})
		return none, err
	})
	return folder
}

// table waits for a file in a folder, and reads its rows.
func table(t *testing.T, path string) (rows [][]string) {
	t.Helper()
	until(t, "the download of "+filepath.Base(path), func() bool {
		f, err := os.Open(path)
		if err != nil {
			return false
		}
		defer f.Close()
		rows, err = csv.NewReader(f).ReadAll()
		return err == nil && len(rows) > 0
	})
	return rows
}

// mode chooses what the page predicts, by the keyboard.
func (b *tab) mode(name string) {
	b.t.Helper()
	b.do(chromedp.Focus(chromedp.CSS("[name=mode]:checked")))
	for range 4 {
		if eval[string](b, `document.querySelector("[name=mode]:checked").value`) == name {
			return
		}
		b.press(kb.ArrowRight)
	}
	b.t.Fatalf("no arrow leads to %s", name)
}

// TestPredictPage predicts as a chemist would: before there is a model, in each
// notation by the keyboard, what cannot be, a list, a grid and a file.
func TestPredictPage(t *testing.T) {
	s := newService(t)
	b := browse(t)
	b.visit(s.url + "/predict")
	b.sees("#no-model", "no model to predict with yet")
	b.sees("#no-model", "go run ./api quickstart")
	b.accessible()
	b.shot("no model")
	const light = 150 << 10 // bytes
	total := 0
	for path, n := range b.weight() {
		total += n
		if strings.Contains(path, "openchemlib") {
			t.Errorf("%s is loaded before anything is drawn", path)
		}
	}
	if total == 0 || total > light {
		t.Errorf("the page weighs %d bytes without the depicter, want less than %d", total, light)
	}
	s.succeeds(s.submit(small(2, "")).ID)
	b.click("#look-again")
	b.sees("#model-about", "Trained")
	b.accessible()

	step := func(name string, f func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			b.t, s.t = t, t
			f(t)
		})
		b.t, s.t = t, t
	}

	// shown compares the page's value with what the service says of an input.
	shown := func(input string) {
		b.t.Helper()
		var p predicted
		if status := s.call("POST", "/v1/predictions", `{"inputs": [`+input+`]}`, &p); status >= 300 {
			b.t.Fatalf("predicting %s: %d", input, status)
		}
		until(b.t, "the prediction", func() bool {
			s.call("GET", "/v1/predictions/"+p.ID, "", &p)
			return p.Status == "succeeded"
		})
		for target, name := range map[string]string{"Tg": "Glass transition", "Tm": "Melting point"} {
			value := eval[string](b, `Number((`+fmt.Sprint(p.Results[0].Predictions[target].Mean)+`).toPrecision(3)).toString().replace("-", "−")`)
			// Between the two may stand how good the model is at the property.
			b.is(fmt.Sprintf(`[...document.querySelectorAll("#results .values tr")].some((row) =>
				row.querySelector("th")?.textContent.startsWith(%q) && row.innerText.includes(%q))`, name, "\t"+value+" °C"))
		}
	}

	step("notations by keyboard", func(t *testing.T) {
		b.visit(s.url + "/predict")
		b.is(`!document.querySelector("#ask").hidden`)
		b.tabTo("#smiles_repeat_unit")
		b.press("*OC(C)C(=O)*")
		b.is(`document.querySelectorAll("#drawing svg text").length === 4`) // two O, two *
		b.press(kb.Enter)
		shown(`{"smiles_repeat_unit": "*OC(C)C(=O)*"}`)
		b.is(`document.querySelector(".chain svg") && location.search.includes("smiles_repeat_unit=")`)
		if n := eval[int](b, `document.querySelectorAll("#results .strip .fold").length`); n != 6 {
			t.Errorf("the strips show %d folds, want 3 for each of two properties", n)
		}
		b.accessible()
		b.shot("one")

		b.backTabTo("[name=notation]:checked")
		b.press(kb.ArrowRight)
		b.tabTo("#monomers")
		b.press("C[C@@H](O)C(=O)O.C[C@H](O)C(=O)O")
		b.tabTo("#pm")
		b.press("0.9", kb.Enter)
		shown(`{"monomers": ["C[C@@H](O)C(=O)O", "C[C@H](O)C(=O)O"], "mechanism": "ester", "pm": 0.9}`)
		b.sees("#results .alert", "tacticity")

		b.backTabTo("[name=notation]:checked")
		b.press(kb.ArrowRight)
		b.tabTo("#smiles_polymer")
		b.press(fluorinated)
		b.tabTo("#go")
		b.press(kb.Enter)
		shown(`{"smiles_polymer": "` + fluorinated + `"}`)
		b.sees("#results .badge", "out of domain")
	})

	// What the page marks are the atoms that the service names, also where the
	// chain writes hydrogens, which both number otherwise.
	step("unseen fragments", func(t *testing.T) {
		for _, chain := range []string{fluorinated, "C[C@@]([H])(O[H])" + strings.TrimPrefix(fluorinated, "C[C@@H](O)")} {
			var p predicted
			s.call("POST", "/v1/predictions", `{"inputs": [{"smiles_polymer": "`+chain+`"}]}`, &p)
			until(t, "the prediction", func() bool {
				s.call("GET", "/v1/predictions/"+p.ID, "", &p)
				return p.Status == "succeeded"
			})
			atoms := map[int]bool{}
			for _, u := range p.Results[0].Domain.Unseen {
				for _, a := range u.Atoms {
					atoms[a] = true
				}
			}
			b.visit(s.url + "/predict?smiles_polymer=" + url.QueryEscape(chain))
			b.is(`document.querySelector(".chain svg")`)
			if n := eval[int](b, `document.querySelectorAll(".chain .unseen circle").length`); n != len(atoms) || n == 0 || n > 20 {
				t.Errorf("%d atoms are marked, want %d, of the end alone", n, len(atoms))
			}
			if !eval[bool](b, `((svg) => {
				const box = [...svg.querySelectorAll("text")].find((e) => e.textContent === "F").getBBox(), x = box.x + box.width / 2, y = box.y + box.height / 2;
				return [...svg.querySelectorAll(".unseen circle")].some((c) => Math.hypot(c.cx.baseVal.value - x, c.cy.baseVal.value - y) < 8);
			})(document.querySelector(".chain svg"))`) {
				t.Errorf("the fluorine of %s is not marked", chain)
			}
		}
		b.shot("unseen")
	})

	step("a bad SMILES shows where", func(t *testing.T) {
		b.visit(s.url + "/predict")
		b.is(`!document.querySelector("#ask").hidden`)
		b.fill("#smiles_repeat_unit", "*CC(C(*)=O")
		b.press(kb.Enter)
		b.sees("#smiles_repeat_unit-problem", "never closed")
		b.sees("#smiles_repeat_unit-problem .at", "▲ character 4")
		b.is(`document.activeElement.id === "smiles_repeat_unit" && document.activeElement.getAttribute("aria-invalid") === "true"`)
		if mark := b.text("#smiles_repeat_unit-problem mark"); mark != "(" {
			t.Errorf("it marks %q", mark)
		}
		b.accessible()
		b.shot("bad")
	})

	step("list", func(t *testing.T) {
		folder := b.downloads()
		b.visit(s.url + "/predict")
		b.is(`!document.querySelector("#ask").hidden`)
		b.mode("list")
		b.fill("#list", "*OC(C)C(=O)* polylactide\rC[C@@H](O)CC(=O)O.C[C@H](O)CC(=O)O, stereo\r*CC(( broken\rCC(O)C(=O)OC(C)C(=O)OC(C)C(=O)O")
		b.tabTo("#go")
		b.press(kb.Enter)
		b.sees("#results h2", "3 of 4 predicted")
		b.sees(".results-table pre.caret", "▲ character")
		b.click(".results-table button")
		b.is(`document.querySelector(".results-table .more .chain svg")`)
		b.accessible()
		b.shot("list")
		b.click("#results .spread button")
		rows := table(t, filepath.Join(folder, "predictions.csv"))
		if len(rows) != 5 || rows[0][2] != "Tg_pred_mean" || rows[1][0] != "polylactide" || rows[3][0] != "broken" || !strings.Contains(rows[3][len(rows[3])-1], "invalid_smiles") {
			t.Errorf("the CSV is %q", rows)
		}
		b.phone()
		b.fits()
		b.do(chromedp.EmulateViewport(1280, 900))
	})

	step("grid", func(t *testing.T) {
		folder := b.downloads()
		b.visit(s.url + "/predict")
		b.is(`!document.querySelector("#ask").hidden`)
		b.mode("grid")
		b.fill("#acids", "O=C(O)CCC(=O)O succinic\rO=C(O)c1ccc(C(=O)O)cc1 terephthalic\rCCO ethanol")
		b.fill("#alcohols", "OCCO glycol\rOCCCCO butanediol")
		b.tabTo("#go")
		b.press(kb.Enter)
		b.is(`document.querySelectorAll(".heat tbody td").length === 6 && document.querySelectorAll(".heat td.none button").length === 2`)
		before := b.text(".heat tbody td")
		b.do(chromedp.Focus(chromedp.CSS("#heat-property")))
		b.press(kb.ArrowDown)
		b.is(`document.querySelector(".heat tbody td").innerText !== ` + quote(before))
		b.click(".heat tbody td button")
		b.sees(".below h3", "succinic × glycol")
		b.accessible()
		b.shot("grid")
		b.click("#results .spread button")
		if rows := table(t, filepath.Join(folder, "grid.csv")); len(rows) != 7 || rows[1][2] != "succinic" || rows[1][3] != "glycol" || rows[6][len(rows[6])-1] == "" {
			t.Errorf("the CSV is %q", rows)
		}
		b.phone()
		b.fits()
		b.do(chromedp.EmulateViewport(1280, 900))
	})

	step("file", func(t *testing.T) {
		folder := b.downloads()
		name := filepath.Join(t.TempDir(), "polymers.csv")
		body := "who,smiles_repeat_unit\n" + strings.Repeat("\"a, b\",*OC(C)C(=O)*\n", 30) + "broken,*CC(\n"
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		b.visit(s.url + "/predict")
		b.is(`!document.querySelector("#ask").hidden`)
		b.mode("file")
		b.choose("#file", name)
		b.sees("#file-seen", "smiles_repeat_unit")
		b.click("#go")
		b.sees("#results h2", "30 of 31 rows predicted")
		b.sees("#results details", "Rows without a prediction (1)")
		b.accessible()
		b.shot("file")
		b.reload() // its address is the prediction's
		b.sees("#results h2", "30 of 31 rows predicted")
		id := eval[string](b, `new URLSearchParams(location.search).get("prediction")`)
		b.click("#results button.primary")
		rows := table(t, filepath.Join(folder, id+".csv"))
		if len(rows) != 32 || rows[1][0] != "a, b" || rows[0][2] != "Tg_pred_mean" || rows[1][2] == "" || rows[31][2] != "" {
			t.Errorf("the CSV is %q", rows)
		}
	})

	step("curl", func(t *testing.T) {
		if _, err := exec.LookPath("curl"); err != nil {
			t.Skip("there is no curl")
		}
		b.visit(s.url + "/predict?smiles_repeat_unit=*OC(C)C(%3DO)*&dp=12&repo=polyid/polyid-models&revision=main")
		b.sees("#results .values", "Glass transition")
		out, err := exec.Command("sh", "-c", eval[string](b, `document.querySelector("#curl").textContent`)).Output()
		var p predicted
		if err := json.Unmarshal(out, &p); err != nil || p.Status != "succeeded" {
			t.Fatalf("%v: %s", err, out)
		}
		shown(`{"smiles_repeat_unit": "*OC(C)C(=O)*", "dp": 12}`)
		if err != nil || len(p.Results) != 1 || p.Results[0].Predictions["Tg"].Mean == 0 {
			t.Errorf("curl: %v, %s", err, out)
		}
	})

	step("phone", func(t *testing.T) {
		b.phone()
		b.visit(s.url + "/predict")
		b.is(`!document.querySelector("#ask").hidden`)
		b.fits()
		b.click("#examples button:nth-child(16)")
		b.sees("#results .values", "Glass transition")
		b.is(`document.querySelector(".chain svg")`)
		b.fits()
		b.accessible()
		b.shot("phone")
	})
}
