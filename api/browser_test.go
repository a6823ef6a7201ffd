package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The tests in browser_*_test.go drive the pages of the real program in a real
// Chromium. They skip where there is none.

// tab is a page open in a browser.
type tab struct {
	t    *testing.T
	ctx  context.Context
	said *complaints
}

// complaints are what pages wrote as errors, refusals of the content-security
// policy among them.
type complaints struct {
	mu   sync.Mutex
	list []string
	may  []string // parts of those that the test expects
}

func (c *complaints) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, text)
}

// browse opens a browser of its own for the test, with one blank tab of
// 1280 × 900. What pages complain of in its console fails the test.
func browse(t *testing.T) *tab {
	t.Helper()
	end2end(t)
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("there is no chromium on PATH")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.WindowSize(1280, 900), chromedp.Flag("disable-quic", true), chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 { // where Chromium's sandbox refuses to work
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	return open(t, ctx, &complaints{})
}

// open makes a tab of an allocator's or another tab's browser.
func open(t *testing.T, parent context.Context, said *complaints) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(parent)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // its context is the browser's life
		t.Fatalf("starting the browser: %v", err)
	}
	b := &tab{t: t, ctx: ctx, said: said}
	messages := chromedp.Console(ctx)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == "error" || m.Type == "assert" {
				said.add(strings.TrimSpace(m.String() + " " + m.URL))
			}
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			b.shot("failed")
		}
		stop()
		<-listening
		said.report(t)
	})
	return b
}

// report fails the test for what it did not expect, once.
func (c *complaints) report(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range c.list {
		if !slices.ContainsFunc(c.may, func(part string) bool { return strings.Contains(text, part) }) {
			t.Errorf("in the browser's console: %s", text)
		}
	}
	c.list = nil
}

// mayComplain says which errors, by parts of them, the console may show.
func (b *tab) mayComplain(parts ...string) {
	b.said.mu.Lock()
	defer b.said.mu.Unlock()
	b.said.may = append(b.said.may, parts...)
}

// another opens a second tab in the same browser.
func (b *tab) another() *tab { b.t.Helper(); return open(b.t, b.ctx, b.said) }

// ask carries out an action within the bounds of patience.
func ask[T any](b *tab, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, a)
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, a := range actions {
		if _, err := ask(b, a); err != nil {
			b.t.Fatalf("in the browser: %v", err)
		}
	}
}

// at carries out actions on elements, anew where the page put another element in
// the place of one that was found a moment before.
func (b *tab) at(selector string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	until(b.t, "what is done at "+selector, func() bool {
		for _, a := range actions {
			_, err := ask(b, a)
			if err != nil && strings.Contains(err.Error(), "node with given id") {
				return false
			}
			if err != nil {
				b.t.Fatalf("in the browser, at %s: %v", selector, err)
			}
		}
		return true
	})
}

// visit goes to an address and waits until its scripts ran.
func (b *tab) visit(url string) { b.t.Helper(); b.do(chromedp.Navigate(url)) }

func (b *tab) reload() { b.t.Helper(); b.do(chromedp.Reload()) }

// phone gives the tab a phone's viewport.
func (b *tab) phone() {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2)))
}

// scheme sets the system's colour scheme: light or dark.
func (b *tab) scheme(name string) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return none, err
	})
}

// eval is the value of a JavaScript expression, or of the promise that it gives.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := ask(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression[:min(len(expression), 300)], err)
	}
	return v
}

// is waits until a JavaScript expression holds.
func (b *tab) is(expression string) {
	b.t.Helper()
	until(b.t, "the page to fulfil "+expression, func() bool {
		ok, err := ask(b, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && ok // on the way to another page it fails
	})
}

// sees waits until an element that a selector names, or one of several, shows a
// text.
func (b *tab) sees(selector, text string) {
	b.t.Helper()
	b.is(fmt.Sprintf(`[...document.querySelectorAll(%s)].some((e) => e.checkVisibility() && (e.innerText ?? e.textContent).includes(%s))`, quote(selector), quote(text)))
}

func quote(s string) string {
	text, _ := json.Marshal(s) // of a string it does not fail
	return string(text)
}

// text is what an element shows.
func (b *tab) text(selector string) string {
	b.t.Helper()
	b.is(fmt.Sprintf("document.querySelector(%s)", quote(selector)))
	return eval[string](b, fmt.Sprintf("document.querySelector(%s).innerText", quote(selector)))
}

// click moves the mouse to the visible element and presses its button.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.at(selector, chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fill replaces the text of a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.at(selector, chromedp.Focus(chromedp.CSS(selector)), chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector(%s).select()", quote(selector))),
		chromedp.KeyEvent(kb.Delete), chromedp.KeyEvent(text))
}

// choose puts files into a file input, as the dialog of the system would.
func (b *tab) choose(selector string, paths ...string) {
	b.t.Helper()
	until(b.t, "the files to be chosen", func() bool { // a page that has just come may not have its node yet
		_, err := ask(b, chromedp.SetUploadFiles(chromedp.CSS(selector), paths))
		return err == nil
	})
}

// press presses keys, one after another: kb.Enter, "a".
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// tabTo presses Tab until an element has the focus, as one without a mouse has
// to, and fails if it is out of reach.
func (b *tab) tabTo(selector string) { b.t.Helper(); b.walkTo(selector, chromedp.KeyEvent(kb.Tab)) }

// backTabTo is tabTo the other way round.
func (b *tab) backTabTo(selector string) {
	b.t.Helper()
	b.walkTo(selector, chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(kb.ModifierShift)))
}

func (b *tab) walkTo(selector string, step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	const farthest = 200
	for range farthest {
		if eval[bool](b, fmt.Sprintf("document.activeElement.matches(%s)", quote(selector))) {
			return
		}
		b.do(step)
	}
	b.t.Fatalf("%d steps do not lead to %s", farthest, selector)
}

// shot saves a picture of the whole page, where the tests are told a folder for
// such: SHOTS.
func (b *tab) shot(name string) {
	b.t.Helper()
	folder := os.Getenv("SHOTS")
	if folder == "" {
		return
	}
	png, err := ask(b, chromedp.FullScreenshot(100))
	path := filepath.Join(folder, strings.ReplaceAll(b.t.Name(), "/", "_")+"-"+name+".png")
	if err = errors.Join(err, os.WriteFile(path, png, 0o600)); err != nil {
		b.t.Logf("no picture: %v", err)
	}
}

// fits fails the test if the page is wider than its window.
func (b *tab) fits() {
	b.t.Helper()
	wide := eval[[]string](b, `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
		.filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".table, pre, nav"))
		.map((e) => e.outerHTML.slice(0, 120))`)
	if len(wide) > 0 {
		b.t.Errorf("wider than the window:\n%s", strings.Join(wide, "\n"))
	}
}

// accessible fails the test for every violation that axe-core finds on the page,
// in the light and the dark theme. It does nothing without AXE_JS, which
// .ci/peers sets.
func (b *tab) accessible() {
	b.t.Helper()
	path := os.Getenv("AXE_JS")
	if path == "" {
		b.t.Log("not looked at with axe-core: AXE_JS is not set")
		return
	}
	script, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	type violation struct {
		ID    string   `json:"id"`
		Help  string   `json:"help"`
		Nodes []string `json:"nodes"`
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		// Colours that are on their way would be measured half-way.
		eval[bool](b, string(script)+`; Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {}))).then(() => true)`)
		violations := eval[[]violation](b, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) =>
			({ id: v.id, help: v.help, nodes: v.nodes.map((n) => n.html.slice(0, 200) + " " + n.failureSummary) })))`)
		for _, v := range violations {
			b.t.Errorf("axe-core, %s theme: %s: %s\n%s", scheme, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
		}
	}
	b.scheme("")
}

// weight is what the page and all it loaded so far took over the network, in
// bytes as compressed, by path.
func (b *tab) weight() map[string]int {
	b.t.Helper()
	return eval[map[string]int](b, `Object.fromEntries([...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
		.map((e) => [new URL(e.name).pathname, e.transferSize]))`)
}

// interactive is the time from the request of the page to the end of its
// scripts' first run.
func (b *tab) interactive() time.Duration {
	b.t.Helper()
	ms := eval[float64](b, `performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd`)
	return time.Duration(ms * float64(time.Millisecond))
}
