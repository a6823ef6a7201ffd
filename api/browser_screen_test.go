package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreenPage fails at an expression, screens a library with a right one that names
// a column by click, and reads the best rows with their structures, on a desk and on a
// phone; another library is uploaded, and a grid filled in.
func TestScreenPage(t *testing.T) {
	s := newService(t)
	s.succeeds(s.submit(small(1, "")).ID)
	id := s.upload("units", "name,smiles_repeat_unit\npe,*CC*\npp,*CC(*)C\nps,*CC(*)c1ccccc1\npva,*CC(*)OC(C)=O\nbad,*C(C*\npeo,*CCO*\n")
	b := browse(t)
	b.mayComplain("422") // of a wrong expression
	b.visit(s.url + "/screen?dataset=" + id)
	b.sees("#estimate", "6 rows would be predicted")
	b.is(`[...document.querySelectorAll("#names button")].some((e) => e.textContent === "Tg")`)
	b.fill("#where", "Tgg > 1")
	b.sees("#where-problem", "Tg")
	b.is(`document.querySelector("#where").getAttribute("aria-invalid") === "true"`)
	b.shot("screen-problem")
	b.fill("#where", "Tg > -1000")
	b.sees("#estimate", "6 rows would be predicted")
	b.fill("#order_by", "-")
	eval[bool](b, `[...document.querySelectorAll("#names button")].find((e) => e.textContent === "Tg").click() ?? true`)
	b.is(`document.querySelector("#order_by").value === "-Tg"`)
	b.accessible()
	b.shot("screen")
	b.click("#start")
	b.is(`location.pathname.startsWith("/screenings/sc_")`)
	b.sees("#status", "succeeded")
	b.sees("#results", "Download as csv")
	b.is(`document.querySelectorAll("#best svg.structure").length === 5`)
	b.is(`document.querySelector("#best thead").textContent.includes("Tg") && document.querySelector("#best tbody").textContent.includes("±")`)
	b.accessible()
	b.shot("screening")
	if !strings.Contains(b.text("#summary"), "1 could not be predicted") {
		t.Errorf("the summary is %q", b.text("#summary"))
	}
	b.phone()
	b.fits()
	b.shot("screening-phone")
	b.visit(s.url + "/screen")
	b.sees("#list", "succeeded")
	b.fits()
	b.accessible()
	file := filepath.Join(t.TempDir(), "more.csv")
	if err := os.WriteFile(file, []byte("smiles_repeat_unit\n*CC*\n*CCO*\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.choose("#file", file)
	b.sees("#upload", "more: 2 rows")
	b.sees("#estimate", "2 rows would be predicted")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[value=grid]").click()`))
	b.fill("#first", "O=C(O)CCCCC(=O)O")
	b.fill("#second", "OCCO")
	b.sees("#estimate", "1 row would be predicted")
	b.sees("#names button", "monomers")
	b.scheme("dark")
	b.shot("screen-phone")
}
