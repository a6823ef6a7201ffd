package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"polyid-trainer/jobs"
)

// smallest sets what makes a job take seconds, by way of the advanced fields.
var smallest = []struct{ selector, text string }{
	{"#model-atom_features", "16"}, {"#model-bond_features", "16"}, {"#model-mol_features", "4"}, {"#model-num_messages", "2"},
}

// only is the one job that a service has.
func (s *service) only() string {
	s.t.Helper()
	var list struct{ Data []jobs.View }
	s.call(http.MethodGet, "/v1/training-jobs", "", &list)
	if len(list.Data) != 1 {
		s.t.Fatalf("there are %d jobs, want one", len(list.Data))
	}
	return list.Data[0].ID
}

// From an empty form to a published model, with a mouse; and the same form
// again, with what is changed marked.
func TestTrainPage(t *testing.T) {
	s := newService(t)
	b := browse(t)
	b.visit(s.url + "/")
	b.sees("#e-how", "Choose the data")
	b.accessible()
	b.shot("empty")

	b.click(`[data-dataset="stereopolymer_input_nopush"]`)
	b.sees("#properties", "Tm")
	b.fill("#epochs", "4")
	b.sees("#epochs-hint.outside", "500–1000")
	b.fill("#kfolds", "1")
	b.sees("#kfolds-problem", "not between")
	b.is(`document.querySelector("#kfolds[aria-invalid=true]")`)
	b.fill("#kfolds", "2")
	b.click("#advanced summary")
	for _, f := range smallest {
		b.fill(f.selector, f.text)
	}
	b.is(`/about/.test(document.querySelector("#e-time").textContent) && !document.querySelector(".problem")`)
	b.sees("#e-steps", "9") // hundreds of them
	b.accessible()
	b.shot("form")
	b.phone()
	b.fits()
	b.shot("phone")
	b.do(chromedp.ResetViewport())

	b.do(chromedp.ScrollIntoView(chromedp.CSS("#start")), chromedp.DoubleClick(chromedp.CSS("#start")))
	b.is(`location.pathname.startsWith("/jobs/tj_")`)
	id := s.only() // a double click made one
	b.sees("#status", "succeeded")
	b.sees(".fold-line", "Fold 2/2: Epoch 4/4")
	b.sees("#published", "polyid/polyid-models")
	b.sees("#metrics", "Baseline MAE")
	b.is(`document.querySelectorAll("#parity canvas").length === 2 && document.querySelectorAll("#folds canvas").length === 2`)
	b.sees("#snippet-curl", "/v1/predictions")
	b.sees("#events", "Fold 1 done")
	b.accessible()
	b.shot("succeeded")
	b.phone()
	b.fits()
	b.shot("succeeded-phone")
	b.scheme("dark")
	b.shot("succeeded-phone-dark")
	b.scheme("light")
	b.do(chromedp.ResetViewport())

	b.click("#again")
	b.sees("#from", id)
	b.is(`document.querySelector("#epochs").value === "4" && document.querySelector("#property-Tm").checked`)
	b.sees("#changes", "Same as the earlier job")
	b.fill("#epochs", "5")
	b.click("#property-Tm")
	b.sees("#changes", "Epochs: 4 → 5")
	b.sees("#changes", "Properties: Tg, Tm → Tg")
	b.sees("label[for=epochs]", "was 4")
	b.accessible()
	b.shot("again")
}

// Everything without a mouse, from the form to the end of a job.
func TestTrainByKeyboard(t *testing.T) {
	s := newService(t)
	b := browse(t)
	b.visit(s.url + "/")
	b.press(kb.Tab)
	b.is(`document.activeElement.matches(".skip")`)
	b.tabTo(`[data-dataset="stereopolymer_input_nopush"]`)
	b.press(" ")
	b.tabTo("#epochs")
	b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent("4000"))
	b.press(kb.Enter) // starts nothing
	b.tabTo("#advanced summary")
	b.press(kb.Enter)
	for _, f := range smallest {
		b.tabTo(f.selector)
		b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent(f.text))
	}
	b.tabTo(`[data-group="/publish"]`)
	b.press(" ")
	b.tabTo("#start")
	b.press(kb.Enter)
	b.is(`location.pathname.startsWith("/jobs/tj_")`)
	id := s.only()
	if v := s.job(id); v.Publish != nil || v.Epochs != 4000 {
		t.Fatalf("the job publishes to %v after %d epochs", v.Publish, v.Epochs)
	}
	s.trains(id)
	b.tabTo("#pause")
	b.press(kb.Enter)
	b.sees("#status", "paused")
	b.tabTo("#resume")
	b.press(kb.Enter)
	b.sees("#status", "training")
	b.tabTo("#cancel")
	b.press(kb.Enter)
	b.is(`document.querySelector("#ask").open && document.activeElement.id === "ask-no"`)
	b.press(kb.Escape)
	b.is(`!document.querySelector("#ask[open]") && document.activeElement.id === "cancel"`)
	b.press(kb.Enter)
	b.is(`document.querySelector("#ask").open`)
	b.accessible()
	b.backTabTo("#ask-yes")
	b.press(kb.Enter)
	b.sees("#status", "cancelled")
	s.reaches(id, "the job to be cancelled", func(v *jobs.View) bool { return v.Status == jobs.Cancelled })
}

// A question that is asked again before the page hears that the first one was
// closed waits for its own answer, and an answer of the server that comes late
// does not overwrite what is newer.
func TestJobPageInQuickSuccession(t *testing.T) {
	s := newService(t)
	id := s.trains(s.submit(small(4000, `, "publish": null`)).ID).ID
	b := browse(t)
	b.visit(s.url + "/jobs/" + id)
	b.sees("#status", "training")

	// From here on the page's looks at the job wait, each until it is released.
	eval[bool](b, `window.held = [], window.realFetch = window.fetch, window.fetch = async (path, options) => {
		const answer = await realFetch(path, options);
		if (path.endsWith("`+id+`") && options.method === "GET") await new Promise((release) => held.push(release));
		return answer;
	}, document.dispatchEvent(new Event("visibilitychange")), true`)
	b.is(`held.length === 1`)
	b.click("#pause")
	b.sees("#status", "paused")
	b.is(`held.length > 1`)
	eval[bool](b, `window.fetch = realFetch, held.shift()(), new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))`)
	if status := b.text("#status"); !strings.EqualFold(status, "paused") {
		t.Errorf("the page went back to %q by an answer from before the pause", status)
	}
	eval[bool](b, `held.forEach((release) => release()), true`)

	// In one task: no event can come between the closing and the next question.
	eval[bool](b, `document.querySelector("#cancel").click(), document.querySelector("#ask").close(), document.querySelector("#cancel").click(), true`)
	b.is(`document.querySelector("#ask").open`)
	b.click("#ask-yes")
	b.sees("#status", "cancelled")
	s.reaches(id, "the job to be cancelled", func(v *jobs.View) bool { return v.Status == jobs.Cancelled })
}

// Two tabs show the same, one is loaded anew, and the server goes away and comes
// back: nobody has to do anything.
func TestJobPageLives(t *testing.T) {
	s := newService(t)
	id := s.submit(small(2000, `, "publish": null`)).ID
	b := browse(t)
	b.mayComplain("ERR_CONNECTION", "Failed to load resource", "ERR_INCOMPLETE_CHUNKED")
	b.visit(s.url + "/jobs/" + id)
	other := b.another()
	other.visit(s.url + "/jobs/" + id)
	b.sees(".fold-line", "· loss ")
	other.sees(".fold-line", "· loss ")
	b.is(`document.querySelector("#folds canvas")`)
	b.accessible()
	b.shot("training")

	epoch := func(b *tab) int {
		return eval[int](b, `Number(/Epoch (\d+)/.exec(document.querySelector(".fold-line").textContent)?.[1] ?? 0)`)
	}
	for _, each := range []*tab{b, other} {
		eval[bool](each, `window.unloaded = false, true`) // gone with a reload
		at := epoch(each)
		until(t, "the epochs to go on", func() bool { return epoch(each) > at })
	}
	b.reload()
	b.sees(".fold-line", "· loss ") // as the server has it

	other.click("#pause")
	other.sees("#status", "paused")
	b.sees("#status", "paused")
	b.click("#resume")
	other.sees("#status", "training")

	if code := s.stop(); code != 0 {
		t.Errorf("the api ended with %d", code)
	}
	other.sees("#notices", "connection is lost")
	other.shot("lost")
	s.start(t)
	at := epoch(other)
	until(t, "the page to go on by itself", func() bool { return epoch(other) > at })
	other.is(`window.unloaded === false && !document.querySelector("#notices").textContent`)
	if status := s.move(id, "cancel"); status != http.StatusOK {
		t.Fatalf("cancel: %d", status)
	}
	b.sees("#status", "cancelled")
	other.sees("#status", "cancelled")
}

// A table with mistakes is shown with each, by row; a mended one is chosen.
func TestUploadPage(t *testing.T) {
	s := newService(t, "API_TOKENS=alice:correct-horse-battery")
	b := browse(t)
	b.visit(s.url + "/")
	b.fill("#token", "correct-horse-battery")
	b.press(kb.Enter)
	b.sees("h1", "Train a model")

	var rows strings.Builder
	for i := range 30 {
		fmt.Fprintf(&rows, "C%sO,%d\n", strings.Repeat("C", i), 20+i)
	}
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	b.mayComplain("422")
	b.choose("#file", file("bad.csv", "smiles_polymer,Tg\nCC(C,1\nCCO,x\n"+rows.String()))
	b.sees("#refused tr", "2\tsmiles_polymer")
	b.sees("#refused", "3")
	b.is(`document.activeElement.id === "refused"`)
	b.accessible()
	b.shot("refused")
	b.phone()
	b.fits()
	b.do(chromedp.ResetViewport())
	b.choose("#file", file("good.csv", "smiles_polymer,Tg\n"+rows.String()))
	b.sees("#upload", "30 rows")
	b.is(`document.querySelector("#refused").textContent === "" && document.querySelector("[data-property=Tg]").checked`)
	b.is(`document.querySelector(".histogram").getAttribute("aria-label").includes("Histogram of Tg")`)

	// The session ends while the form is open: nothing typed is lost.
	b.mayComplain("401")
	eval[bool](b, `fetch("/logout", { method: "POST" }).then(() => true)`)
	b.fill("#epochs", "700")
	b.sees("#notices", "logged out")
	b.shot("logged-out")
	b.click("#notices a")
	b.fill("#token", "correct-horse-battery")
	b.press(kb.Enter)
	b.is(`document.querySelector("#epochs")?.value === "700" && document.querySelector("[data-property=Tg]")?.checked`)
}

// The first page is small and soon ready.
func TestFirstPageIsLight(t *testing.T) {
	s := newService(t)
	b := browse(t)
	best := time.Hour // the machine may be busy with others
	for range 5 {
		b.visit(s.url + "/")
		b.sees("#e-how", "Choose the data")
		best = min(best, b.interactive())
		total := 0
		for path, n := range b.weight() {
			if !strings.Contains(path, "/vendor/") && !strings.HasPrefix(path, "/v1/") {
				total += n
			}
		}
		if total > 150_000 {
			t.Fatalf("the first page takes %d bytes: %v", total, b.weight())
		}
	}
	if best > time.Second {
		t.Errorf("interactive after %s at best", best)
	}
}
