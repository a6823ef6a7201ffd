package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/xuri/excelize/v2"

	"polyid-trainer/jobs"
)

// From a table to a predicted polymer by the keyboard alone: the form, the job as
// it trains and is published, and a prediction with what it published.
func TestFromTableToPredictionByKeyboard(t *testing.T) {
	s := newService(t)
	b := browse(t)
	b.visit(s.url + "/")
	retype := func(selector, text string) {
		b.tabTo(selector)
		b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent(text))
	}
	b.tabTo(`[data-dataset="stereopolymer_input_nopush"]`)
	b.press(" ")
	retype("#epochs", "3")
	retype("#kfolds", "2")
	b.tabTo("#advanced summary")
	b.press(kb.Enter)
	for _, f := range smallest {
		retype(f.selector, f.text)
	}
	b.tabTo("#start")
	b.press(kb.Enter)
	b.is(`location.pathname.startsWith("/jobs/tj_")`)
	b.sees("#status", "succeeded")
	b.sees("#published", "polyid/polyid-models")
	b.is(`document.querySelector("#started time")`) // as the page was told while it was open
	b.tabTo(`#use-body a[href^="/predict"]`)
	b.press(kb.Enter)
	b.is(`location.pathname === "/predict" && !document.querySelector("#ask").hidden`)
	b.tabTo("#smiles_repeat_unit")
	b.press("*OC(C)C(=O)*", kb.Enter)
	b.sees("#results .values tr", "Glass transition")
	if v := s.job(s.only()); v.Status != jobs.Succeeded || v.Published == nil {
		t.Errorf("the job is %s, published as %v", v.Status, v.Published)
	}
}

// begin presses Start once the estimate is there, and what it says moves nothing
// any more.
func (b *tab) begin() {
	b.t.Helper()
	b.is(`/about/.test(document.querySelector("#e-time").textContent) && !document.querySelector("#estimate[aria-busy]")`)
	b.click("#start")
}

// What is done with a job that has ended: published elsewhere and again, promoted
// from the list of models beside another one, deleted.
func TestEndedJob(t *testing.T) {
	s := newService(t)
	b := browse(t)
	id := s.succeeds(s.submit(small(1, `, "publish": null`)).ID).ID
	b.visit(s.url + "/jobs/" + id)
	b.sees("#published", "Trained, but not published")
	publish := func(button, branch, tag string) {
		b.sees("#publish", button)
		b.click("#publish")
		b.is(`document.querySelector("#ask").open && document.activeElement.id === "publish-repo"`)
		b.fill("#publish-branch", branch)
		b.fill("#publish-tag", tag)
		b.click("#ask-yes")
	}
	publish("Publish…", "main", "v1.0.0")
	b.sees("#published", "tag v1.0.0")
	publish("Publish again…", "candidates", "v1.1.0")
	b.sees("#published", "branch candidates · tag v1.1.0")
	b.mayComplain("422", "409")
	publish("Publish again…", "candidates", "not a tag")
	b.sees("#notices", "tag")
	b.shot("refused")

	b.visit(s.url + "/models")
	b.is(`document.querySelector("#compare-picked").disabled`)
	b.click(`tr[data-names~="v1.0.0"] input`)
	b.click(`tr[data-names~="v1.1.0"] input`)
	b.click("#compare-picked")
	b.sees("#compared", "v1.1.0 and main")
	b.accessible()
	b.shot("compared")
	b.click(`tr[data-names~="v1.1.0"] [data-promote]`)
	b.is(`document.querySelector("#promote").open`)
	b.sees("#promote [data-difference]", "holds this model already")
	b.accessible()
	b.fill("#to", "stable")
	b.click(`#promote [value="yes"]`)
	b.is(`document.querySelector('tr[data-names~="stable"]')`)

	b.visit(s.url + "/jobs/" + id)
	b.click("#delete")
	b.is(`document.querySelector("#ask").open`)
	b.sees("#ask-text", "stay on the Hub")
	b.click("#ask-yes")
	b.is(`location.pathname === "/jobs"`)
	b.sees(".empty", "No model has been trained here yet")
	if status := s.call(http.MethodGet, "/v1/training-jobs/"+id, "", nil); status != http.StatusNotFound {
		t.Errorf("the job that was deleted: %d", status)
	}
}

// A job that fails says where and why; one that is begun beside another waits,
// which the form and the list of jobs tell.
func TestFailedAndWaitingJobs(t *testing.T) {
	s := newService(t)
	b := browse(t)
	failed := s.submit(small(3, `, "publish": null, "learning_rate": 1`)).ID
	s.reaches(failed, "the job to fail", func(v *jobs.View) bool { return v.Status == jobs.Failed })
	b.visit(s.url + "/jobs/" + failed)
	b.sees("#why", "Failed: fold ")
	if e := s.job(failed).Error; e == nil || e.Fold == nil {
		t.Errorf("it failed with %+v", e)
	} else {
		b.sees("#why", fmt.Sprintf("fold %d, epoch 1, row ", *e.Fold+1)) // as the page numbers its folds
	}
	b.sees("#resume", "Resume")
	b.accessible()
	b.shot("failed")

	running := s.trains(s.submit(small(4000, `, "publish": null`)).ID).ID
	b.visit(s.url + "/")
	b.sees("#queued", running)
	b.click(`[data-dataset="stereopolymer_input_nopush"]`)
	b.fill("#epochs", "2")
	b.begin()
	b.is(`location.pathname.startsWith("/jobs/tj_")`)
	b.sees("#why", "starts when a worker is free")
	b.click("#why a")
	b.sees(`tr[data-job="`+running+`"]`, "training")
	b.sees(`tr[data-job="`+failed+`"] [data-act]`, "Retry")
	b.is(`document.querySelectorAll("tr[data-live]").length === 2`)
	if status := s.move(running, "cancel"); status != http.StatusOK {
		t.Fatalf("cancel: %d", status)
	}
	b.sees(`tr[data-job="`+running+`"]`, "cancelled") // without a reload by hand
}

// A workbook is dropped on the page, a second table chosen beside it: they are
// joined, and trained on together.
func TestJoinedTables(t *testing.T) {
	s := newService(t)
	b := browse(t)
	b.visit(s.url + "/")
	book := excelize.NewFile()
	set := func(cell string, v any) {
		if err := book.SetCellValue("Sheet1", cell, v); err != nil {
			t.Fatal(err)
		}
	}
	set("A1", "smiles_polymer")
	set("B1", "Density")
	var second strings.Builder
	second.WriteString("smiles_polymer,Density,Tg\n")
	for i := range 20 {
		set(fmt.Sprint("A", i+2), "C"+strings.Repeat("C", i)+"O")
		set(fmt.Sprint("B", i+2), 1+float64(i)/50)
		fmt.Fprintf(&second, "N%sO,%.2f,%d\n", strings.Repeat("C", i+1), 1+float64(i)/40, 20+i)
	}
	content, err := book.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	eval[bool](b, fmt.Sprintf(`(() => {
		const moved = new DataTransfer();
		moved.items.add(new File([new Uint8Array(%s)], "densities.xlsx"));
		document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: moved, bubbles: true, cancelable: true }));
		return true;
	})()`, strings.ReplaceAll(fmt.Sprint(content.Bytes()), " ", ",")))
	b.sees("#upload", "20 rows")
	path := filepath.Join(t.TempDir(), "second.csv")
	if err := os.WriteFile(path, []byte(second.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.choose("#file", path)
	b.sees("#dataset-list", "second")
	b.is(`document.querySelector("[data-property=Density]")?.checked && document.querySelector("[data-property=Tg]")?.checked`)
	b.click("#dataset-list label:nth-of-type(2) input") // what is uploaded is chosen alone
	b.sees("#e-rows", "40")
	b.accessible()
	b.shot("joined")
	b.fill("#epochs", "1")
	b.fill("#kfolds", "2")
	b.click("#advanced summary")
	for _, f := range smallest {
		b.fill(f.selector, f.text)
	}
	b.begin()
	b.is(`location.pathname.startsWith("/jobs/tj_")`)
	b.sees("#status", "succeeded")
	if v := s.job(s.only()); len(v.Dataset) != 2 || len(v.Targets) != 2 {
		t.Errorf("it trained on %v for %v", v.Dataset, v.Targets)
	}
}
