package hubserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Bounds on what one request costs, whatever it holds. Allocation is all that was
// allocated meanwhile, not what was held at once; both are far above what is
// needed and far below what hostile input took without limits.
const (
	hostileAlloc = 192 << 20
	hostileTime  = 20 * time.Second // a machine may be busy
)

// bounded runs f and holds its cost against the bounds.
func bounded(t *testing.T, name string, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(hostileTime):
		t.Fatalf("%s: takes longer than %v", name, hostileTime)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > hostileAlloc {
		t.Errorf("%s: allocated %d MB in %v", name, n>>20, time.Since(begin))
	}
}

// filled repeats a unit up to a number of bytes.
func filled(unit string, size int) string { return strings.Repeat(unit, size/len(unit)) }

// aliasBomb is YAML in which each level names the one below it n times.
func aliasBomb(levels, n int, format string) string {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: 1}\n")
	for i := 1; i <= levels; i++ {
		refs := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), n), ", ")
		fmt.Fprintf(&b, format, i, i, refs)
	}
	return b.String()
}

func hostileYAML() map[string]string {
	const size = 1 << 20
	out := map[string]string{
		"nested flow, 80 KB":             "a: " + filled("[", 80<<10),
		"merge of aliases":               aliasBomb(9, 9, "a%d: &a%d\n  <<: [%s]\n"),
		"lists of aliases":               aliasBomb(9, 9, "a%d: &a%d [%s]\n"),
		"an alias of itself":             "a: &a [*a, *a]\n",
		"a merge of itself":              "a: &a\n  <<: *a\n",
		"closed nesting":                 "a: " + filled("[", 40<<10) + filled("]", 40<<10),
		"nesting by indentation":         indented(1000),
		"an anchor for each value":       many("k%d: &a%d x\n", 5000),
		"an alias for each value":        "a: &a x\n" + many("k%d: *a # %d\n", 5000),
		"many documents":                 filled("---\na: 1\n", 60<<10),
		"a key of 60 KB":                 filled("k", 60<<10) + ": 1\n",
		"a value of a megabyte":          "a: " + filled("x", size),
		"many keys":                      many("k%d: %d\n", 6000),
		"equal keys":                     filled("k: 1\n", 60<<10),
		"many tags":                      filled("- !!str x\n", 60<<10),
		"an unknown tag for each value":  filled("- !a%21b x\n", 60<<10),
		"a folded text with empty lines": "a: >\n" + filled(" \n", 60<<10),
	}
	for _, unit := range []string{"{a: ", "[{a: ", "- ", "? ", "? - ", "&a ", "!a ", "'", `"`, "# x\n", "[],", "{},", "[ ", "<<: ", "|\n", "%A\n", "\t", "\\", "- - \n", "a: b: "} {
		out[fmt.Sprintf("60 KB of %q", unit)] = "a:\n" + filled(unit, 60<<10)
		out[fmt.Sprintf("a megabyte of %q", unit)] = "a:\n" + filled(unit, size)
	}
	return out
}

// indented nests mappings by indentation.
func indented(levels int) string {
	var b strings.Builder
	for i := range levels {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", min(i, 300)))
	}
	return b.String()
}

func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i, i)
	}
	return b.String()
}

func hostileMarkdown() map[string]string {
	head := func(columns int) string { return filled("a|", 2*columns) + "\n" + filled("-|", 2*columns) + "\n" }
	out := map[string]string{
		"a table padded, 54 KB":         head(6000) + filled("|\n", 30<<10),
		"a table padded in a quote":     "> " + filled("a|", 8000) + "\n> " + filled("-|", 8000) + "\n" + filled("> |\n", 30<<10),
		"a table padded in a list":      "- " + filled("a|", 8000) + "\n  " + filled("-|", 8000) + "\n" + filled("  |\n", 30<<10),
		"a delimiter after each other":  "a|b\n" + filled("-|-\n", 60<<10),
		"many small tables":             filled("a|b\n-|-\n1|2\n\n", 120<<10),
		"5,000 equal headings":          filled("# same\n", 35<<10),
		"headings without a text":       filled("#\n", 100<<10),
		"headings numbered before":      many("# a-%d\n# a %d\n", 4000),
		"nested links":                  filled("[", 40<<10) + "a" + filled("](b)", 80<<10),
		"a long address named often":    "[a]: /" + filled("x", 10<<10) + "\n\n" + filled("[a] ", 60<<10),
		"a long title named often":      "[a]: /x '" + filled("x", 10<<10) + "'\n\n" + filled("![a] ", 60<<10),
		"many references":               many("[a%d]: /x\n\n[a%d]\n\n", 4000),
		"code spans of every length":    codeSpans(400),
		"nested quotes":                 filled(">", 60<<10) + "a\n",
		"nested quotes on each line":    filled(filled(">", 400)+"a\n", 120<<10),
		"nested lists":                  filled("- ", 60<<10) + "a\n",
		"lists nested by indentation":   nestedLists(500),
		"one line of a megabyte":        filled("a", 1<<20),
		"nested HTML":                   filled("<div>", 120<<10),
		"an attribute of 100 KB":        "<img alt=\"" + filled("x", 100<<10) + "\">",
		"many attributes":               "<p " + filled("a=1 ", 100<<10) + ">",
		"NUL bytes":                     filled("\x00", 120<<10),
		"bytes that are no text":        filled("\xff\xfe", 120<<10),
		"links that are many addresses": filled("https://example.org/ ", 120<<10),
	}
	for _, unit := range []string{"*a **a ", "**", "_a", "[a](", "![", "](", "<a ", "<!--", "<?", "<![CDATA[", "&", "&#", "`", "~~a", "\\", "www.", "a@b.c ",
		"|", "> ", "* ", "1. ", "    a\n", "```\n", "===\n", "a\n---\n", "<b>", "<table><tr>", "[a]: b\n", "(", "*_", "[*", "\n", " \n", "\t"} {
		out[fmt.Sprintf("120 KB of %q", unit)] = filled(unit, 120<<10)
		out[fmt.Sprintf("8 KB of %q", unit)] = filled(unit, 8<<10)
	}
	return out
}

func codeSpans(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("`", i+1) + "a")
	}
	return b.String()
}

func nestedLists(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", 2*i) + "- a\n")
	}
	return b.String()
}

// TestHostileYAML holds that front matter costs little whatever it is, where it
// is validated and where it is shown.
func TestHostileYAML(t *testing.T) {
	s := newServer(t, Config{Tokens: anna})
	for name, text := range hostileYAML() {
		card := "---\n" + text + "\n---\n# x\n"
		body, err := json.Marshal(map[string]string{"content": card})
		if err != nil {
			t.Fatal(err)
		}
		bounded(t, name, func() {
			if w := call(s, "POST", "/api/validate-yaml", strings.NewReader(string(body))); w.Code != 200 {
				t.Errorf("%s: %d %.200s", name, w.Code, w.Body)
			}
		})
		bounded(t, name+", shown", func() {
			meta, _ := cutFrontMatter([]byte(card))
			facts(meta)
		})
	}
}

// TestHostileMarkdown holds the same of a card's text, and that a card is shown
// in any case.
func TestHostileMarkdown(t *testing.T) {
	m := newMarkdown()
	for name, text := range hostileMarkdown() {
		bounded(t, name, func() {
			out := m.render([]byte(text), "/hub/acme/tg/blob/main", "/hub/acme/tg/resolve/main")
			if out == "" && strings.TrimSpace(text) != "" && !strings.HasPrefix(text, "<") && !strings.HasPrefix(text, "[a]: b") {
				t.Errorf("%s: nothing is shown", name)
			}
			if len(out) > 2*maxRendered {
				t.Errorf("%s: %d MB are shown", name, len(out)>>20)
			}
		})
	}
}

// TestHostileCard holds that anonymous readers of a hostile card are answered, and
// that it is rendered once.
func TestHostileCard(t *testing.T) {
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	for name, card := range map[string]string{
		"table":  hostileMarkdown()["a table padded, 54 KB"],
		"flow":   "---\n" + hostileYAML()["nested flow, 80 KB"] + "\n---\n# x\n",
		"merges": "---\n" + hostileYAML()["merge of aliases"] + "\n---\n# x\n",
	} {
		must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("README.md", card)+line("x.md", card))
		for _, target := range []string{"/acme/tg", "/acme/tg/blob/main/x.md", "/api/models/acme/tg"} {
			bounded(t, name+" "+target, func() { must(t, s, "GET", target, "") })
		}
	}
	costly := []byte(filled("a *b* [c](d)\n\n", 100<<10))
	s.markdown.render(costly, "", "")
	if n := testing.AllocsPerRun(10, func() { s.markdown.render(costly, "", "") }); n > 100 {
		t.Errorf("a card that was rendered is rendered again, with %.0f allocations", n)
	}
}

// TestHostileCommits holds that a commit costs little, whatever paths and rules it
// brings, and so does whoever reads it after.
func TestHostileCommits(t *testing.T) {
	deep := strings.Repeat("d/", 500)
	paths := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(fmt.Sprintf(format, i), "x"))
		}
		return b.String()
	}
	rules := func(n int, format string) string { return line(attributesFile, many(format, n)) }
	pattern := strings.Repeat("*a", 200)
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"1,000 paths of 500 folders":        {paths(1000, deep+"%d"), 400, "at most 31"},
		"1,000 paths of 500 other folders":  {paths(300, "%d/"+deep+"x"), 400, "at most 31"},
		"1,000 paths of 30 folders each":    {paths(1000, "%d/"+strings.Repeat("d/", 30)+"x"), 400, "more than 25000"},
		"20,000 rules with wildcards":       {rules(20_000, "*a*%d*b*%d filter=lfs\n") + paths(200, "f%d"), 400, "wildcards"},
		"20,000 rules that name files":      {rules(20_000, "/a%d/b%d filter=lfs\n") + paths(200, "f%d"), 200, ""},
		"20,000 rules for suffixes":         {rules(20_000, "*.a%db%d filter=lfs\n") + paths(200, "f%d"), 200, ""},
		"60,000 rules":                      {rules(52_000, "%d%d -filter\n"), 400, "at most"},
		"a rule of many stars":              {line(attributesFile, "/"+pattern+" filter=lfs\n") + paths(2000, strings.Repeat("a", 200)+"%d"), 200, ""},
		"rules of many double stars":        {rules(200, "/**/a%d/**/b%d/**/**/** filter=lfs\n") + paths(2000, "a/b/a/b/a/b/a/b/a/b/%d"), 400, "wildcards"},
		"one rule of many double stars":     {line(attributesFile, "/"+strings.Repeat("**/a/", 60)+"x filter=lfs\n") + paths(1000, strings.Repeat("a/", 30)+"%d"), 200, ""},
		"more operations than are taken":    {strings.Repeat(`{"key":"deletedFile","value":{"path":"x"}}`+"\n", maxOperations+1), 400, "at most"},
		"folders deleted one after another": {paths(2000, "d%d/x") + many(`{"key":"deletedFolder","value":{"path":"d%d"}, "n":%d}`+"\n", 2000), 200, ""},
		"a folder that is not there":        {strings.Repeat(`{"key":"deletedFolder","value":{"path":"none"}}`+"\n", 20_000), 404, "not there"},
		"a path of a megabyte":              {line(strings.Repeat("a", 1<<19), "x"), 400, "at most"},
		"a file and a folder":               {line("a", "x") + line("a/b", "x"), 400, "a file and a folder"},
	} {
		s := newServer(t, Config{Tokens: anna})
		do := func(token, method, target, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, target, strings.NewReader(body))
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		do("hf_local", "POST", "/api/repos/create", `{"name":"acme/tg"}`)
		bounded(t, name, func() {
			w := do("hf_local", "POST", "/api/models/acme/tg/commit/main", header+c.body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%s: %d %.300s", name, w.Code, w.Body)
			}
		})
		for _, target := range []string{"/acme/tg/tree/main", "/api/models/acme/tg/tree/main?recursive=true", "/acme/tg/commits/main"} {
			bounded(t, name+", read", func() {
				if w := do("", "GET", target, ""); w.Code != 200 {
					t.Errorf("%s: %s: %d", name, target, w.Code)
				}
			})
		}
	}
}

// slowWriter takes the first byte of an answer and then nothing until it is told to.
type slowWriter struct {
	http.ResponseWriter
	writing, go_ chan struct{}
	told         bool
}

func (w *slowWriter) Write(p []byte) (int, error) {
	if !w.told {
		w.told = true
		close(w.writing)
		<-w.go_
	}
	return w.ResponseWriter.Write(p)
}

// TestSlowReaders holds that a client that does not read its answer keeps nobody
// from changing the repository.
func TestSlowReaders(t *testing.T) {
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("README.md", "# x")+line("a.bin", "x"))
	for _, target := range []string{
		"/acme/tg", "/acme/tg/tree/main", "/acme/tg/blob/main/README.md", "/acme/tg/commits/main", "/acme/tg/commit/main", "/acme/tg/refs", "/",
		"/api/models/acme/tg", "/api/models", "/api/models/acme/tg/refs", "/api/models/acme/tg/tree/main", "/api/models/acme/tg/commits/main",
		"/acme/tg/resolve/main/a.bin", "/acme/tg/info/refs?service=git-upload-pack",
	} {
		w := &slowWriter{ResponseWriter: httptest.NewRecorder(), writing: make(chan struct{}), go_: make(chan struct{})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		}()
		<-w.writing
		changed := make(chan int)
		go func() {
			changed <- call(s, "POST", "/api/models/acme/tg/commit/main", strings.NewReader(header+line("b", target))).Code
		}()
		select {
		case code := <-changed:
			if code != 200 {
				t.Errorf("%s: a commit meanwhile: %d", target, code)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: while its answer is not read nobody can commit", target)
		}
		close(w.go_)
		<-done
	}
}

// TestCommitsMeet holds that commits that meet on a branch are all in its history.
func TestCommitsMeet(t *testing.T) {
	s := newServer(t, Config{})
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	codes := make(chan int)
	const n = 12
	for i := range n {
		go func() {
			codes <- call(s, "POST", "/api/models/acme/tg/commit/main", strings.NewReader(header+line(fmt.Sprint(i), "x"))).Code
		}()
	}
	for range n {
		if code := <-codes; code != 200 {
			t.Errorf("a commit that meets others: %d", code)
		}
	}
	body := must(t, s, "GET", "/api/models/acme/tg/tree/main", "").Body.String()
	if got := strings.Count(body, `"path"`); got != n+1 {
		t.Errorf("the branch has %d files, want %d", got, n+1)
	}
}
